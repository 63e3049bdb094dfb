"""`/docs` and `/openapi.json`: the API's reference, made from its own OpenAPI; needs no script and no network."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.access import PUBLIC, Caller
from api.language import language

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request, _: Annotated[Caller, PUBLIC]) -> Response:
    """Every route with its parameters and answers."""
    schema = request.app.openapi()
    words = {
        "request": request,
        "lang": language(request),
        "nonce": request.state.nonce,
        "about": spoken(schema["info"]["description"]),
        "operations": operations(schema),
        "shapes": shapes(schema),
    }
    return HTMLResponse(request.app.state.templates.get_template("docs.html").render(words))


@router.get("/openapi.json")
async def openapi(request: Request, _: Annotated[Caller, PUBLIC]) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations of an OpenAPI document, by path, with what a reader wants of each."""
    found = []
    for path, methods in sorted(schema.get("paths", {}).items()):
        for method, about in methods.items():
            parameters = [_parameter(p) for p in about.get("parameters", ())]
            body = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            good: dict[str, Any] = next((r for code, r in about.get("responses", {}).items() if str(code).startswith("2")), {})
            answer = good.get("content", {}).get("application/json", {}).get("schema")
            found.append(
                {
                    "method": method.upper(),
                    "path": path,
                    "text": spoken(about.get("description") or about.get("summary", "")),
                    "parameters": parameters,
                    "body": _name(body) if body else "",
                    "answer": _name(answer) if answer else "",
                }
            )
    return found


def shapes(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The fields of every shape that is named, by its name: what each holds, and whether it is always there."""
    found = {}
    for name, about in sorted(schema.get("components", {}).get("schemas", {}).items()):
        always = about.get("required", ())
        fields = about.get("properties", {}).items()
        found[name] = [{"name": n, "kind": _name(f), "always": n in always, "text": spoken(f.get("description", ""))} for n, f in fields]
    return found


def spoken(text: str) -> list[str]:
    """A text in parts, every second of which stood between backticks."""
    return text.split("`")


def _parameter(about: dict[str, Any]) -> dict[str, Any]:
    schema = about.get("schema", {})
    bounds = [f"{word} {schema[key]}" for key, word in (("default", "default"), ("minimum", "≥"), ("maximum", "≤")) if _tells(schema.get(key))]
    return {"name": about["name"], "where": about["in"], "kind": _name(schema), "bounds": ", ".join(bounds), "text": spoken(about.get("description", ""))}


def _tells(bound: object) -> bool:
    """Whether it tells a reader anything: an empty default does not, nor does the largest number a database holds."""
    return bound not in (None, "") and not (isinstance(bound, int) and abs(bound) >= (1 << 63) - 1)


def _name(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_name(s) for s in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(v) for v in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_name(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_name(schema['additionalProperties'])}"
    return str(schema.get("type") or schema.get("title") or "anything")
