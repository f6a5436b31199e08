-- A burst of purchases is noted in finer slices, so that its first tokens come back sooner.
CREATE OR REPLACE FUNCTION buy_tokens(
    for_key text, want_tokens integer[], want_seconds float8[], wanted integer, needed integer,
    horizon float8, patience float8, say_limit integer, say_left integer, say_seconds float8,
    back_at float8[], back_counts integer[]
) RETURNS TABLE (asked_at float8, grant_at float8, granted integer, why text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    q quotas;
    b quota_buckets;
    buckets quota_buckets[];
    checked boolean[];
    told_end float8;
    windows integer;
    closed float8;
    at float8;
    later float8;
    room integer;
    used integer;
    got integer := 0;
    k integer;
BEGIN
    -- A purchase that a crash of the server undoes is worth less than waiting for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    LOOP
        SELECT * INTO q FROM quotas WHERE key = for_key FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO quotas (key) VALUES (for_key) ON CONFLICT DO NOTHING;
    END LOOP;
    -- Not before the lock: who waited for it comes after whom it waited for.
    asked_at := extract(epoch FROM moment());
    INSERT INTO quota_buckets (key, tokens, seconds)
        SELECT for_key, u.t, u.s FROM unnest(want_tokens, want_seconds) AS u (t, s)
        WHERE NOT EXISTS (SELECT FROM quota_buckets e
            WHERE e.key = for_key AND e.tokens = u.t AND e.seconds = u.s);
    -- Each grant is noted in all buckets, also in those that only others ask to keep to.
    SELECT array_agg(e ORDER BY e.seconds, e.tokens),
           array_agg(EXISTS (SELECT FROM unnest(want_tokens, want_seconds) AS u (t, s)
               WHERE u.t = e.tokens AND u.s = e.seconds) ORDER BY e.seconds, e.tokens)
        INTO buckets, checked FROM quota_buckets e WHERE e.key = for_key;

    told_end := extract(epoch FROM q.told_until);
    -- What the source tells is of one window of its own. Tokens are sold for it, and ahead for
    -- the next one, whose length and limit are taken to be the same.
    IF told_end <= asked_at AND q.told_limit > 0 AND q.told_window > 0 THEN
        windows := floor((asked_at - told_end) / q.told_window) + 1;
        told_end := told_end + windows * q.told_window;
        q.told_left := q.told_limit - CASE WHEN windows = 1 THEN q.told_ahead ELSE 0 END;
        q.told_ahead := 0;
    END IF;
    FOR g IN 1..coalesce(cardinality(back_at), 0) LOOP
        IF back_at[g] < told_end THEN
            q.told_left := q.told_left + back_counts[g];
        ELSE
            q.told_ahead := greatest(0, q.told_ahead - back_counts[g]);
        END IF;
    END LOOP;
    IF say_left IS NOT NULL THEN
        q.told_window := greatest(coalesce(q.told_window, 0), say_seconds);
        IF told_end IS NULL OR told_end <= asked_at THEN
            q.told_left := say_left;
            q.told_ahead := 0;
        ELSIF asked_at + say_seconds > told_end + q.told_window / 2 THEN
            q.told_left := say_left - q.told_ahead;
            q.told_ahead := 0;
        ELSE
            -- What was sold since that answer is not forgotten.
            q.told_left := least(q.told_left, say_left);
        END IF;
        told_end := asked_at + say_seconds;
        q.told_limit := coalesce(say_limit, q.told_limit);
    END IF;

    at := asked_at;
    closed := extract(epoch FROM q.closed_until);
    IF closed > at THEN
        at := closed;
    END IF;
    IF told_end > asked_at AND q.granted_to > at THEN
        at := q.granted_to;
    END IF;
    FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
        b := buckets[i];
        FOR g IN 1..coalesce(cardinality(back_at), 0) LOOP
            FOR j IN 1..cardinality(b.counts) LOOP
                IF b.ends[j] >= back_at[g] THEN
                    IF b.starts[j] <= back_at[g] THEN
                        b.counts[j] := greatest(0, b.counts[j] - back_counts[g]);
                    END IF;
                    EXIT;
                END IF;
            END LOOP;
        END LOOP;
        k := cardinality(b.counts);
        WHILE k > 0 AND b.counts[k] = 0 LOOP
            k := k - 1;
        END LOOP;
        used := 0;
        WHILE used < k AND b.ends[used + 1] + b.seconds <= asked_at LOOP
            used := used + 1;
        END LOOP;
        b.starts := b.starts[used + 1:k];
        b.ends := b.ends[used + 1:k];
        b.counts := b.counts[used + 1:k];
        k := cardinality(b.counts);
        -- Grants are in the order of their times, so a window is full or not for good.
        IF k > 0 AND b.ends[k] > at THEN
            at := b.ends[k];
        END IF;
        buckets[i] := b;
    END LOOP;
    WHILE got < wanted LOOP
        room := wanted - got;
        later := at;
        FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
            CONTINUE WHEN NOT checked[i];
            b := buckets[i];
            k := cardinality(b.counts);
            used := 0;
            WHILE k > 0 AND b.ends[k] + b.seconds > at AND used < b.tokens LOOP
                used := used + b.counts[k];
                k := k - 1;
            END LOOP;
            IF used < b.tokens THEN
                room := least(room, b.tokens - used);
            ELSE
                -- The slice that fills the window: when it is out of it there is room again.
                later := greatest(later, b.ends[k + 1] + b.seconds);
            END IF;
        END LOOP;
        IF told_end > at THEN
            IF q.told_left <= 0 THEN
                -- A little later: the source's window may begin with its first request.
                later := greatest(later, told_end + least(q.told_window / 20, 1));
            ELSE
                room := least(room, q.told_left);
            END IF;
        ELSIF told_end > asked_at AND q.told_limit > 0 THEN
            -- No more than is needed: what the source says by then may be something else.
            room := least(room, q.told_limit - q.told_ahead, needed - got);
            EXIT WHEN got >= needed;
            IF room <= 0 OR at >= told_end + q.told_window THEN
                at := greatest(at, told_end + q.told_window);
                EXIT;
            END IF;
        END IF;
        IF later > at THEN
            at := later;
            CONTINUE;
        END IF;
        IF at - asked_at > patience THEN
            EXIT;
        END IF;
        IF at - asked_at > horizon THEN
            room := least(room, needed - got);
            EXIT WHEN room <= 0;
        END IF;
        FOR i IN 1..coalesce(cardinality(buckets), 0) LOOP
            b := buckets[i];
            k := cardinality(b.counts);
            -- A slice is free again when its last moment is: a burst is noted finely, lest its
            -- first tokens wait for its last, and what goes on for long in few rows.
            IF k > 0 AND at - b.starts[k] <= b.seconds / (CASE WHEN k < 32 THEN 256 ELSE 32 END) THEN
                b.ends[k] := at;
                b.counts[k] := b.counts[k] + room;
            ELSE
                b.starts := b.starts || at;
                b.ends := b.ends || at;
                b.counts := b.counts || room;
            END IF;
            buckets[i] := b;
        END LOOP;
        IF told_end > at THEN
            q.told_left := q.told_left - room;
        ELSIF told_end > asked_at THEN
            q.told_ahead := q.told_ahead + room;
        END IF;
        q.granted_to := at;
        got := got + room;
        grant_at := at;
        granted := room;
        RETURN NEXT;
    END LOOP;

    UPDATE quotas SET told_limit = q.told_limit, told_left = q.told_left,
        told_until = to_timestamp(told_end), told_ahead = q.told_ahead,
        told_window = q.told_window, granted_to = q.granted_to, touched_at = moment()
        WHERE key = for_key;
    FOREACH b IN ARRAY coalesce(buckets, '{}') LOOP
        UPDATE quota_buckets e SET starts = b.starts, ends = b.ends, counts = b.counts
            WHERE e.key = for_key AND e.seconds = b.seconds AND e.tokens = b.tokens;
    END LOOP;
    IF got = 0 THEN
        grant_at := at;
        granted := 0;
        why := CASE WHEN closed > asked_at AND at <= closed THEN q.reason END;
        RETURN NEXT;
    END IF;
END $$;
