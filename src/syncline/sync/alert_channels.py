"""Where alerts go: the log, a webhook, e-mail. Each sends one message, once, or says why not."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from syncline.core.errors import ConfigurationError, SynclineError
from syncline.core.model import Json
from syncline.settings import Settings

__all__ = ["Channel", "LogChannel", "MailChannel", "NotSent", "WebhookChannel", "build_channels"]

_log = logging.getLogger("syncline.alerts")
_SECONDS = 15.0


class NotSent(SynclineError):
    """The message has not got through, or nobody knows: it is to be sent again."""


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """Kept with what is to be sent: another process knows the channel by it."""
        ...

    async def send(self, message: Mapping[str, Json]) -> None:
        """Deliver it within seconds. Its `id` is the same each time. Raises `NotSent`."""
        ...


def build_channels(settings: Settings) -> list[Channel]:
    """Those that are set. Raises `ConfigurationError`."""
    channels: list[Channel] = [LogChannel()]
    if settings.alert_webhook is not None:
        secret = settings.alert_secret
        channels.append(
            WebhookChannel(
                settings.alert_webhook.get_secret_value(),
                None if secret is None else secret.get_secret_value(),
            )
        )
    if settings.alert_email is not None:
        if settings.smtp_url is None:
            raise ConfigurationError(
                "SYNCLINE_ALERT_EMAIL is set, but no server that takes mail.",
                hint="Set SYNCLINE_SMTP_URL, such as smtp://user:password@mail.example.com:587.",
            )
        recipients = [each.strip() for each in settings.alert_email.split(",") if each.strip()]
        channels.append(
            MailChannel(
                settings.smtp_url.get_secret_value(),
                recipients,
                settings.alert_sender or f"syncline@{socket.getfqdn()}",
            )
        )
    return channels


class LogChannel(Struct, frozen=True):
    """The service's own log."""

    name: str = "log"

    async def send(self, message: Mapping[str, Json]) -> None:
        """Always gets through."""
        over = message["kind"] in ("recovered", "test")
        words = " ".join(str(message[each]) for each in ("text", "hint") if message.get(each))
        about = {name: message.get(name) for name in ("workspace", "connection", "kind")}
        _log.log(
            logging.INFO if over else logging.WARNING,
            "Alert: %s",
            words,
            extra={**about, "alert": message["id"]},
        )


class WebhookChannel(Struct, frozen=True):
    """A POST of the message as JSON, signed where there is a secret."""

    url: str
    secret: str | None = None
    name: str = "webhook"

    async def send(self, message: Mapping[str, Json]) -> None:
        """Any answer but 2xx is a failure. Redirects are not followed."""
        import aiohttp

        body = json.dumps(message, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Syncline",
            "Syncline-Delivery": str(message["id"]),
        }
        if self.secret is not None:
            at = str(int(time.time()))
            headers["Syncline-Signature"] = f"t={at},v1={sign(self.secret, at, body)}"
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NotSent(
                f"The webhook does not answer: {type(error).__name__}.",
                hint="Check SYNCLINE_ALERT_WEBHOOK.",
            ) from error
        if not 200 <= status < 300:
            raise NotSent(
                f"The webhook answers with {status}.", hint="Check SYNCLINE_ALERT_WEBHOOK."
            )


def sign(secret: str, at: str, body: bytes) -> str:
    """HMAC-SHA-256 over the time, a full stop and the body, in hex."""
    return hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()


class MailChannel(Struct, frozen=True):
    """A mail to each of the recipients, through a server that takes it.

    `url`: `smtp://user:password@host:port` (with STARTTLS where the server has it; `?tls=require`
    insists on it), or `smtps://`.
    """

    url: str
    recipients: list[str]
    sender: str
    name: str = "email"

    async def send(self, message: Mapping[str, Json]) -> None:
        """Its Message-ID follows from the message's own: a mail program shows copies as one."""
        await asyncio.to_thread(self._send, message)

    def _send(self, message: Mapping[str, Json]) -> None:
        import smtplib
        import ssl
        from email.message import EmailMessage

        mail = EmailMessage()
        mail["Subject"] = f"Syncline: {' '.join(str(message['text']).split())[:150]}"
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Message-ID"] = f"<{message['id']}.{message['workspace']}@{_domain(self.sender)}>"
        lines = [str(message["text"]), str(message.get("hint") or ""), ""]
        lines += [f"workspace: {message['workspace']}", f"at: {message['at']}"]
        mail.set_content("\n".join(lines))
        parts = urlsplit(self.url)
        secure = ssl.create_default_context()
        try:
            port = parts.port or (465 if parts.scheme == "smtps" else 25)
            host = parts.hostname or "localhost"
            with (
                smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=secure)
                if parts.scheme == "smtps"
                else smtplib.SMTP(host, port, timeout=_SECONDS)
            ) as server:
                if parts.scheme == "smtp":
                    server.ehlo()
                    if server.has_extn("starttls") or parse_qs(parts.query).get("tls"):
                        server.starttls(context=secure)
                        server.ehlo()
                if parts.username:
                    server.login(unquote(parts.username), unquote(parts.password or ""))
                server.send_message(mail)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotSent(
                f"The mail server does not take the mail: {type(error).__name__}: {error}",
                hint="Check SYNCLINE_SMTP_URL and SYNCLINE_ALERT_EMAIL.",
            ) from error


def _domain(address: str) -> str:
    return address.rpartition("@")[2].rstrip(">").strip() or "syncline"
