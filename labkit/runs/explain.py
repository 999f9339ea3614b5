"""Pydantic's findings about a task as sentences: which parameter, which value, which limit, which unit."""

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

SHOWN = 60


def problems(error: BaseException) -> dict[str, str]:
    """What is wrong with a task, by parameter ("" for the whole): from an InvalidTask or a pydantic ValidationError.

    A form shows each sentence beside the control of that name.
    """
    found = error if isinstance(error, ValidationError) else error.__cause__
    if isinstance(error, ValidationError) and (inner := error.errors()[0].get("ctx", {}).get("error")):
        # model_validate wraps what our constructor raised
        found = inner.__cause__ if isinstance(inner.__cause__, ValidationError) else error
    if not isinstance(found, ValidationError):
        return {"": str(error)}
    result: dict[str, str] = {}
    for item in found.errors(include_url=False):
        where = str(item["loc"][0]) if item["loc"] else ""
        text = _sentence(item)
        result[where] = f"{result[where]}; {text}" if where in result else text
    return result


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One sentence for each wrong parameter of `model`."""
    sentences = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"])
        field = model.model_fields.get(str(item["loc"][0])) if item["loc"] else None
        extra = field.json_schema_extra if field is not None and isinstance(field.json_schema_extra, dict) else {}
        unit = f" (unit: {extra['unit']})" if extra.get("unit", "1") != "1" else ""
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(where, model.model_fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; it has {', '.join(model.model_fields) or 'none'}"
            sentences.append(f"{model.__name__} has no parameter {where}{hint}")
        else:
            sentences.append(f"{model.__name__}: {where + ': ' if where else ''}{_sentence(item)}{unit}")
    return "\n".join(sentences)


def _sentence(item: Any) -> str:
    cause = item.get("ctx", {}).get("error")
    if item["type"] == "extra_forbidden":
        return "there is no such parameter"
    if item["type"] == "missing":
        return "a value is needed"
    if isinstance(cause, Exception):
        return str(cause)  # our own sentence already names the value
    value = repr(item["input"])
    value = value if len(value) <= SHOWN else value[:SHOWN] + "…"
    message = item["msg"].removeprefix("Input ")
    return f"{value} was given, but it {message}"
