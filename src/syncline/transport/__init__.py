"""How Syncline reaches sources: sessions whose layers guard, limit, retry and pace requests.

Importing this package is cheap; the modules beneath import their libraries.

    http.py         the session: one request through all layers, redirects hop by hop
    guard.py        which addresses may be connected to at all
    resolver.py     names to addresses, checked and pinned to the connection
    limits.py       bytes, ratios, times and rates that nothing may exceed
    retry.py        what is tried again, how often, and after how long
    politeness.py   how many requests a host gets, and how fast, of this session
    hosts.py        what this session shares with all others about a host:
    quota.py          the tokens that it has of the host's quota
    breaker.py        whether the host is asked at all
    ledger.py         the port through which it is shared
    told.py           what headers say of a quota
    classify.py     what a status or an exception means
"""
