#!/usr/bin/env python3
"""Sends the requests of contract files to a running server and compares its answers.

run.py [--url BASE] [--set NAME=VALUE]… [--bin DIR] [--verbose] FILE…
Example: run.py --url http://127.0.0.1:8085/plivo-ivr tests/contract/plivo-ivr-*.json
The format, and what it is liberal about, stands in README.md beside this program.
"""
import argparse
import base64
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import uuid

TYPES = {
    "string": str, "str": str, "text": str,
    "integer": int, "int": int,
    "number": (int, float), "float": (int, float),
    "boolean": bool, "bool": bool,
    "array": list, "list": list,
    "object": dict, "dict": dict,
    "null": type(None), "none": type(None),
}
MISSING = object()


class Wrong(Exception):
    pass


def first(d, *names, default=None):
    for n in names:
        if n in d:
            return d[n]
    return default


# ---- variables ----------------------------------------------------------------------

def fill(value, variables):
    """{{name}} and ${name}, and {name} of what was saved, in every text; a text that is one whole
    variable keeps its type."""
    if isinstance(value, dict):
        return {fill(k, variables): fill(v, variables) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, variables) for v in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{\{\s*([\w.]+)\s*\}\}|\$\{([\w.]+)\}", value)
    if whole:
        return known(whole.group(0), whole.group(1) or whole.group(2), variables)
    value = re.sub(r"\{\{\s*([\w.]+)\s*\}\}|\$\{([\w.]+)\}",
                   lambda m: str(known(m.group(0), m.group(1) or m.group(2), variables)), value)
    return re.sub(r"\{(\w+)\}", lambda m: str(variables.get(m.group(1), m.group(0))), value)


def known(text, name, variables):
    """What was never saved stands as it is written."""
    if name in variables:
        return variables[name]
    if name in ("uuid", "random"):
        return str(uuid.uuid4())
    if name in ("now", "timestamp"):
        return int(time.time())
    return text


# ---- where in an answer ---------------------------------------------------------------

def find(doc, path):
    """a.b[0].c, a.0.c, $.a.b, /a/b, or a key that has dots itself."""
    if path in ("", "$", "."):
        return doc
    if isinstance(doc, dict) and path in doc:
        return doc[path]
    path = re.sub(r"^\$\.?", "", path)
    path = re.sub(r"\[['\"]?([^\]'\"]*)['\"]?\]", r".\1", path)
    at = doc
    for part in path.strip("/.").split("/" if path.startswith("/") else "."):
        if part in ("length", "length()", "#") and isinstance(at, (list, str)):
            at = len(at)
        elif isinstance(at, list) and re.fullmatch(r"-?\d+", part):
            i = int(part)
            if not -len(at) <= i < len(at):
                return MISSING
            at = at[i]
        elif isinstance(at, dict) and part in at:
            at = at[part]
        else:
            return MISSING
    return at


# ---- comparing ----------------------------------------------------------------------

RULES = {"type", "pattern", "regex", "matches", "equals", "exact", "value", "eq", "is", "in", "enum", "one_of",
         "contains", "starts_with", "startswith", "prefix", "ends_with", "min", "max", "gte", "lte", "gt", "lt",
         "exists", "present", "absent", "length", "len", "min_length", "not", "not_contains", "any", "const",
         "fields", "nullable", "optional"}


def is_type(value, name):
    name = name.lower().rstrip("?")
    if name in ("any", "*"):
        return value is not MISSING
    if name in ("timestamp", "datetime", "iso8601", "ts"):
        return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value) is not None
    if name == "uuid":
        return isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F-]{36}", value) is not None
    want = TYPES[name]
    return isinstance(value, want) and not (isinstance(value, bool) and want in (int, (int, float)))


def is_type_name(text):
    name = text.lower().strip("<>").rstrip("?")
    return name in TYPES or name in ("any", "*", "timestamp", "datetime", "iso8601", "ts", "uuid")


def equal(value, want):
    if isinstance(value, bool) != isinstance(want, bool):
        return False
    return value == want


def compare(where, value, want):
    """want: a value, the name of a type, "/pattern/", or an object of rules."""
    if isinstance(want, dict) and want and set(want) <= RULES and not (isinstance(value, dict) and set(want) <= set(value)):
        compare_rules(where, value, want)
        return
    if value is MISSING:
        raise Wrong(f"{where} is not there")
    if isinstance(want, dict):
        for k, v in want.items():
            compare(f"{where}.{k}", find(value, k), v)
        return
    if isinstance(want, list):
        if not isinstance(value, list) or len(value) != len(want):
            raise Wrong(f"{where}: expected {want!r}, got {value!r}")
        for i, v in enumerate(want):
            compare(f"{where}[{i}]", value[i], v)
        return
    if equal(value, want):
        return
    if isinstance(want, str):
        if is_type_name(want):
            name = want.strip("<>")
            if (name.endswith("?") and value is None) or is_type(value, name):
                return
        elif len(want) > 2 and want[0] == "/" and want[-1] == "/":
            if isinstance(value, str) and re.search(want[1:-1], value):
                return
        elif re.match(r"(regex|pattern|re):", want):
            if isinstance(value, str) and re.search(want.split(":", 1)[1], value):
                return
    raise Wrong(f"{where}: expected {want!r}, got {value!r}")


def compare_rules(where, value, rules):
    if rules.get("absent") or rules.get("exists") is False or rules.get("present") is False:
        if value is not MISSING:
            raise Wrong(f"{where} is there: {value!r}")
        return
    if value is MISSING and rules.get("optional"):
        return
    if value is MISSING:
        raise Wrong(f"{where} is not there")
    if value is None and rules.get("nullable"):
        return
    for rule, want in rules.items():
        if rule == "type":
            names = want if isinstance(want, list) else want.split("|")
            good = any(is_type(value, n) for n in names)
        elif rule in ("pattern", "regex", "matches"):
            good = re.search(want, value if isinstance(value, str) else json.dumps(value)) is not None
        elif rule in ("equals", "exact", "value", "eq", "is", "const"):
            good = equal(value, want)
        elif rule in ("in", "enum", "one_of"):
            good = any(equal(value, w) for w in want)
        elif rule == "contains":
            good = all(w in value for w in (want if isinstance(want, list) else [want]))
        elif rule == "not_contains":
            good = want not in value
        elif rule in ("starts_with", "startswith", "prefix"):
            good = value.startswith(want)
        elif rule == "ends_with":
            good = value.endswith(want)
        elif rule in ("min", "gte"):
            good = value >= want
        elif rule in ("max", "lte"):
            good = value <= want
        elif rule == "gt":
            good = value > want
        elif rule == "lt":
            good = value < want
        elif rule in ("length", "len"):
            good = len(value) == want
        elif rule == "min_length":
            good = len(value) >= want
        elif rule == "not":
            good = not equal(value, want)
        elif rule == "fields":
            compare_fields(where, value, want)
            good = True
        else:
            good = True
        if not good:
            raise Wrong(f"{where}: expected {rule} {want!r}, got {value!r}")


def compare_fields(where, doc, fields):
    if isinstance(fields, str):
        fields = [fields]
    if isinstance(fields, list):
        fields = {f if isinstance(f, str) else first(f, "path", "field", "name"):
                  ({"exists": True} if isinstance(f, str) else {k: v for k, v in f.items() if k not in ("path", "field", "name")})
                  for f in fields}
    for path, want in fields.items():
        compare(f"{where}{'.' if where else ''}{path}", find(doc, path), want)


def compare_status(status, want):
    if want is None:
        return
    for w in want if isinstance(want, list) else [want]:
        if isinstance(w, str) and re.fullmatch(r"\dxx", w.lower()) and status // 100 == int(w[0]):
            return
        if str(w) == str(status):
            return
    raise Wrong(f"status: expected {want}, got {status}")


# ---- one request ----------------------------------------------------------------------

def multipart(fields, files, folder):
    boundary = uuid.uuid4().hex
    out = b""
    for name, value in fields.items():
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, f in files.items():
        if isinstance(f, str):
            f = {"path": f}
        if "path" in f or "file" in f:
            path = first(f, "path", "file")
            for d in (folder, os.path.join(folder, "..", ".."), "."):
                if os.path.exists(os.path.join(d, path)):
                    path = os.path.join(d, path)
                    break
            with open(path, "rb") as fh:
                data = fh.read()
        elif "base64" in f:
            data = base64.b64decode(f["base64"])
        else:
            data = str(first(f, "content", "data", "text", default="")).encode() * int(f.get("times", 1))
        filename = first(f, "filename", "name", default=os.path.basename(str(first(f, "path", "file", default="file"))))
        kind = first(f, "content_type", "type", "mime", default="application/octet-stream")
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
                f"Content-Type: {kind}\r\n\r\n").encode() + data + b"\r\n"
    return out + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def build(step, folder):
    """Method, path with query, headers, body."""
    req = {**step, **step["request"]} if isinstance(step.get("request"), dict) else dict(step)
    method, path = req.get("method"), first(req, "path", "url", "endpoint", default="/")
    if isinstance(step.get("request"), str):
        method, path = step["request"].split(None, 1)
    headers = dict(req.get("headers") or {})
    query = first(req, "query", "params", "query_params")
    if query:
        text = query if isinstance(query, str) else urllib.parse.urlencode(query, doseq=True)
        path += ("&" if "?" in path else "?") + text
    kind = next((v for k, v in headers.items() if k.lower() == "content-type"), None)
    said = first(req, "content_type", "contentType", "body_type", "encoding")
    if said and not kind:
        kind = {"form": "application/x-www-form-urlencoded", "json": "application/json"}.get(said, said)
        headers["Content-Type"] = kind
    form = first(req, "form", "form_data", "formdata", "data" if isinstance(req.get("data"), dict) else "form")
    files = first(req, "files", "file")
    body = first(req, "body", "json", "payload", default=MISSING)
    if form is None and files is None and isinstance(body, dict) and kind and "urlencoded" in kind:
        form = body
    data = None
    if files is not None:
        if not isinstance(files, dict) or set(files) & {"path", "content", "base64"}:
            name = first(files, "field", default="file") if isinstance(files, dict) else "file"
            files = {name: files}
        data, kind_ = multipart(form or {}, files, folder)
    elif form is not None:
        data = form.encode() if isinstance(form, str) else urllib.parse.urlencode(form, doseq=True).encode()
        kind_ = "application/x-www-form-urlencoded"
    elif "raw" in req or isinstance(body, str) or isinstance(req.get("data"), str):
        data = first(req, "raw", "body", "data").encode()
        kind_ = None if kind else "application/json" if "body" in req and data[:1] in b"{[" else "text/plain"
    elif body is not MISSING and body is not None:
        data, kind_ = json.dumps(body).encode(), "application/json"
    else:
        kind_ = None
    if kind_ and not kind:
        headers["Content-Type"] = kind_
    return (method or ("POST" if data is not None else "GET")).upper(), path, headers, data


def send(base, method, path, headers, data):
    at = urllib.parse.urlsplit(base if not re.match(r"https?://", path) else path)
    target = path if not re.match(r"https?://", path) else (at.path or "/") + ("?" + at.query if at.query else "")
    if not re.match(r"https?://", path):
        target = at.path.rstrip("/") + (path if path.startswith(("/", "?")) else "/" + path)
    c = http.client.HTTPConnection(at.hostname, at.port or 80, timeout=60)
    try:
        if method in ("POST", "PUT", "PATCH") and data is None:
            data = b""
        c.request(method, urllib.parse.quote(target or "/", safe="/?&=%+:;,@!$'()*~#[]"), data, headers)
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    except (BrokenPipeError, ConnectionResetError):
        return 413, {}, b""  # the server had read enough
    finally:
        c.close()


# ---- what is expected -------------------------------------------------------------------

def expected(step):
    e = first(step, "expect", "expected", "response", "assert", "then", default={})
    if isinstance(e, (int, list, str)):
        e = {"status": e}
    e = dict(e)
    for ours, theirs in (("status", ("status", "status_code", "code", "expected_status", "expect_status", "expectedStatus")),
                         ("fields", ("fields", "expected_fields", "expect_fields", "json_fields", "expectedFields")),
                         ("headers", ("headers",)),
                         ("body", ("body", "json", "expected_body")),
                         ("contains", ("contains", "body_contains", "text_contains", "text")),
                         ("not_contains", ("not_contains", "body_not_contains")),
                         ("absent", ("absent", "absent_fields", "not_fields")),
                         ("matches", ("matches", "pattern", "body_matches", "regex")),
                         ("content_type", ("content_type", "contentType"))):
        value = first(e, *theirs)
        if value is None and ours not in ("headers", "body", "contains", "content_type"):
            value = first(step, *theirs)
        e[ours] = value
    return e


def as_list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def check(e, status, headers, raw):
    text = raw.decode("utf-8", "replace")
    compare_status(status, e["status"])
    if e["content_type"] and e["content_type"] not in headers.get("content-type", ""):
        raise Wrong(f"content type: expected {e['content_type']}, got {headers.get('content-type')}")
    for k, v in (e["headers"] or {}).items():
        compare(f"header {k}", headers.get(k.lower(), MISSING), v)
    for w in as_list(e["contains"]):
        if w not in text:
            raise Wrong(f"the answer lacks {w!r}")
    for w in as_list(e["not_contains"]):
        if w in text:
            raise Wrong(f"the answer has {w!r}")
    for w in as_list(e["matches"]):
        if not re.search(w, text, re.S):
            raise Wrong(f"the answer does not match {w!r}")
    if isinstance(e["body"], str) and e["body"] != text.rstrip("\n") and e["body"] != text:
        raise Wrong(f"body: expected {e['body']!r}")
    if e["fields"] or e["absent"] or isinstance(e["body"], (dict, list)):
        try:
            doc = json.loads(text)
        except ValueError:
            raise Wrong("the answer is no JSON")
        if e["fields"]:
            compare_fields("", doc, e["fields"])
        for path in as_list(e["absent"]):
            if find(doc, path) is not MISSING:
                raise Wrong(f"{path} is there: {find(doc, path)!r}")
        if isinstance(e["body"], (dict, list)):
            compare("body", doc, e["body"])


def save(step, headers, raw, variables):
    rules = first(step, "save", "capture", "extract", "set", "store", default=None)
    if rules is None and isinstance(step.get("expect"), dict):
        rules = first(step["expect"], "save", "capture")
    if not rules:
        return
    text = raw.decode("utf-8", "replace")
    if isinstance(rules, str):
        rules = [rules]
    if isinstance(rules, list):
        rules = {r.split(".")[-1]: r for r in rules}
    for name, where in rules.items():
        if isinstance(where, dict) and first(where, "pattern", "regex"):
            m = re.search(first(where, "pattern", "regex"), text)
            value = (m.group(1) if m.groups() else m.group(0)) if m else MISSING
        elif isinstance(where, dict) and "header" in where:
            value = headers.get(where["header"].lower(), MISSING)
        else:
            value = find(json.loads(text), where if isinstance(where, str) else first(where, "path", "field", "json"))
        if value is MISSING:
            raise Wrong(f"nothing to save as {name} at {where!r}")
        variables[name] = value


# ---- files ----------------------------------------------------------------------------

def run_command(step, variables, bin_dir):
    words = step["command"]
    words = words.split() if isinstance(words, str) else words
    words = [str(fill(w, variables)) for w in words]
    if bin_dir and os.path.exists(os.path.join(bin_dir, words[0])):
        words[0] = os.path.join(bin_dir, words[0])
    p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if p.returncode != step.get("exit", 0):
        raise Wrong(f"{words[0]} ended with {p.returncode}: {p.stderr.decode()[:300]}")
    save(step, {}, p.stdout, variables)


def run_step(step, base, variables, folder, args):
    if "command" in step:
        run_command(step, variables, args.bin)
        return ""
    if "method" not in step and "path" not in step and "request" not in step and "url" not in step:
        return ""  # a comment, or a heading
    until = time.time() + float(first(step, "within_s", "until_s", "retry_s", default=0))
    while True:
        filled = fill({k: v for k, v in step.items() if k not in ("save", "capture", "extract")}, variables)
        method, path, headers, data = build(filled, folder)
        status, got, raw = send(filled.get("base", base), method, path, headers, data)
        try:
            check(expected(filled), status, got, raw)
            save(step, got, raw, variables)
            return ""
        except (Wrong, TypeError, KeyError, ValueError, AttributeError) as e:
            if time.time() >= until:
                return (f"{method} {path}: {e}\n    sent {(data or b'')[:300]!r}\n"
                        f"    got {status} {raw[:700].decode('utf-8', 'replace')}")
            time.sleep(0.1)


def steps_of(doc):
    """Lists of steps under whatever name; lists of cases that have steps themselves are run in order."""
    if isinstance(doc, list):
        items = doc
    else:
        items = first(doc, "steps", "requests", "tests", "cases", "scenario", "scenarios", "calls", "sequence", "items")
        if items is None:
            items = [doc]
    for item in items:
        if isinstance(item, dict) and not ("method" in item or "request" in item or "path" in item) and any(
                isinstance(first(item, n), list) for n in ("steps", "requests", "tests", "cases", "calls", "sequence")):
            yield from steps_of(item)
        elif isinstance(item, dict):
            for _ in range(int(item.get("repeat", 1))):
                yield item


def run_file(path, base, given, args):
    with open(path, encoding="utf-8") as f:
        doc = json.load(f)
    variables = dict(given)
    if isinstance(doc, dict):
        variables.update(fill(first(doc, "variables", "vars", default={}), variables))
    headers = first(doc, "headers", default={}) if isinstance(doc, dict) and "method" not in doc else {}
    done, faults = 0, []
    for n, step in enumerate(steps_of(doc), 1):
        if headers:
            step = {**step, "headers": {**headers, **(step.get("headers") or {})}}
        name = str(first(step, "name", "description", "title", default=f"request {n}"))
        try:
            fault = run_step(step, base, variables, os.path.dirname(os.path.abspath(path)), args)
        except (Wrong, OSError, subprocess.TimeoutExpired) as e:
            fault = str(e)
        done += 1
        if args.verbose:
            print(("ok    " if not fault else "WRONG ") + name)
        if fault:
            faults.append(f"{os.path.basename(path)}: {name}: {fault}")
    return done, faults


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--url", default="http://127.0.0.1:8085", help="base URL of the contract")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable")
    p.add_argument("--bin", default=None, help="where the programs of 'command' steps are")
    p.add_argument("--verbose", action="store_true", help="name every request")
    p.add_argument("files", nargs="+")
    args = p.parse_args()
    given = {"base": args.url, "base_url": args.url}
    given.update(s.split("=", 1) for s in args.set)
    total, wrong = 0, []
    for path in args.files:
        done, faults = run_file(path, args.url, given, args)
        total += done
        wrong += faults
    for w in wrong:
        print("WRONG " + w, file=sys.stderr)
    print(f"{total - len(wrong)} of {total} requests of {len(args.files)} files answered as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
