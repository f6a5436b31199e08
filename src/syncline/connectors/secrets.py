"""From stored or typed secrets to a connector's. No message ever shows a value."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from syncline.core.errors import ConfigurationError
from syncline.core.ports import ConnectorSpec, Secrets

__all__ = ["parse_secrets"]


def parse_secrets(spec: ConnectorSpec, values: Mapping[str, str]) -> Secrets:
    """The secrets that `values` give. Raises `ConfigurationError`, naming the secret."""
    try:
        return spec.secrets.model_validate(dict(values))
    except ValidationError as error:
        fields = spec.secrets.model_fields
        problems = []
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            name = ".".join(map(str, each["loc"]))
            if each["type"] == "extra_forbidden":
                problems.append(f"there is no secret {name!r}")
            elif each["type"] == "missing":
                about = fields[name].description if name in fields else None
                problems.append(
                    f"the secret {name!r} is missing" + (f" ({about})" if about else "")
                )
            else:
                what = each["msg"].removeprefix("Value error, ")
                problems.append(f"the secret {name!r}: {what}" if name else what)
        known = ", ".join(fields)
        raise ConfigurationError(
            f"{spec.title}: {'; '.join(problems)}",
            hint=f"There are: {known}. `syncline connections edit NAME --secret …` sets them."
            if known
            else "This kind of source needs no secrets.",
        ) from None
