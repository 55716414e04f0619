"""What a request lacks, in a sentence for each field; what was given is not repeated, for it may be a password."""

from collections.abc import Mapping
from typing import Any


def sentence(error: Mapping[str, Any]) -> str:
    """Return what an error of the validation means.

    Args:
        error: As pydantic gives it, with ``loc``, ``type`` and ``ctx``.

    Example:
        >>> sentence({"loc": ("body", "person_ids", 1), "type": "int_from_float"})
        'person_ids: expected a whole number; correct it'
        >>> sentence({"loc": ("query", "limit"), "type": "less_than_equal", "ctx": {"le": 1000}})
        'limit: expected at most 1000; correct it'
    """
    name = next((str(each) for each in error["loc"][1:] if not isinstance(each, int)), "the request")
    limits = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{name}: expected a value, got none; correct it"
        case "int_parsing" | "int_from_float" | "int_type" | "int_parsing_size":
            return f"{name}: expected a whole number; correct it"
        case "float_parsing" | "float_type" | "finite_number":
            return f"{name}: expected a number; correct it"
        case "greater_than_equal":
            return f"{name}: expected at least {limits['ge']:g}; correct it"
        case "greater_than":
            return f"{name}: expected more than {limits['gt']:g}; correct it"
        case "less_than_equal":
            return f"{name}: expected at most {limits['le']:g}; correct it"
        case "less_than":
            return f"{name}: expected less than {limits['lt']:g}; correct it"
        case "string_too_short":
            return f"{name}: expected at least {limits['min_length']} characters; correct it"
        case "string_too_long":
            return f"{name}: expected at most {limits['max_length']} characters; correct it"
        case "too_short":
            return f"{name}: expected at least {limits['min_length']} entries; correct it"
        case "too_long":
            return f"{name}: expected at most {limits['max_length']} entries; correct it"
        case "enum" | "literal_error":
            return f"{name}: expected one of {limits['expected']}; correct it"
    return f"{name}: expected another value, as the API page says; correct it"
