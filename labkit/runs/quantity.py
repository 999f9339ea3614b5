"""Fields of a task with a unit: one line gives the default, the unit, the meaning and the bounds.

Forms, JSON files, the command line and error sentences all read the unit and the description from here.
"""

from typing import Any

from pydantic import Field


def quantity(
    default: Any,
    unit: str,
    description: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    label: str | None = None,
    **more: Any,
) -> Any:
    """Return a pydantic field with `unit` and `description` (one line) and inclusive (ge, le) or open (gt, lt) bounds.

    `default=...` makes it required; `label` is what a form calls it, if not its name; `more` goes to `pydantic.Field`.
    """
    extra: dict[str, Any] = {"unit": unit} if label is None else {"unit": unit, "label": label}
    return Field(default, description=description, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra, **more)
