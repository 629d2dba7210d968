"""A small Hub on the loopback, for tests that drive the real huggingface_hub client.

It speaks the part of the Hub's interface that uploading and downloading need: information, trees, files with ranges, creating
repositories, branches and tags, large files through git-lfs, commits; access by token, private and gated repositories; and
it fails on demand: a connection cut in mid-file, bytes that differ from the announced hash, an error of the server.
Repositories of any type live in memory; the fixture `hub` in conftest.py starts one and points the client at it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TYPES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
LARGE = (".safetensors", ".h5", ".bin", ".pt", ".npy", ".parquet")
"""Endings of files kept in git-lfs; others are kept there from 1 MB on."""


@dataclass
class Repo:
    """One repository: commits by hash, and the branches and tags that point at them."""

    name: str
    kind: str = "model"
    private: bool = False
    gated: bool = False
    granted: set[str] = field(default_factory=set)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Make `files` the whole content of a branch; return the commit's hash."""
        parent = self.refs.get(branch, "")
        digest = hashlib.sha1(f"{self.kind} {self.name} {parent} {len(self.commits)}".encode())
        for path in sorted(files):
            digest.update(path.encode() + b"\0" + files[path])
        self.commits[digest.hexdigest()] = dict(files)
        self.refs[branch] = digest.hexdigest()
        return self.refs[branch]

    def find(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or hash means."""
        found = self.refs.get(revision) or self.tags.get(revision)
        return found or (revision if revision in self.commits else None)

    @property
    def files(self) -> dict[str, bytes]:
        """What the main branch holds."""
        return self.commits[self.refs["main"]]

    def readable(self, user: str | None) -> bool:
        """Whether a user may know that it exists."""
        return not self.private or user == self.name.partition("/")[0] or user in self.granted


@dataclass
class Seen:
    """One request the server answered."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0


class HubServer:
    """The server, its repositories, users and faults.

    Attributes
    ----------
    url : str
    tokens : dict of token to user
        Known from the start: ``hf_lab`` of ``lab`` and ``hf_guest`` of ``guest``.
    seen : list of Seen
        Every request, in order of arrival.
    cuts : dict of path to list of int
        Send so many bytes of a file, then cut the connection; one number is used up by each request for its content.
    tampered : dict of path to bytes
        Sent in place of a file's content, under the announced hash of the true one.
    broken : dict of path to status
        Answer requests for these files with an error of the server.
    """

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large: dict[str, bytes] = {}
        self.tokens = {"hf_lab": "lab", "hf_guest": "guest"}
        self.seen: list[Seen] = []
        self.cuts: dict[str, list[int]] = {}
        self.tampered: dict[str, bytes] = {}
        self.broken: dict[str, int] = {}
        self.connections: list[socket.socket] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone, as a Hub that cannot be reached."""
        self._http.shutdown()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # the client has closed it
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()
        self._thread.join()

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | str] | Path | None = None,
        *,
        kind: str = "model",
        private: bool = False,
        gated: bool = False,
    ) -> Repo:
        """Add a repository with files given as bytes or text, or those of a folder."""
        if isinstance(files, Path):
            files = {p.relative_to(files).as_posix(): p.read_bytes() for p in sorted(files.rglob("*")) if p.is_file()}
        repo = self.repos[kind, name] = Repo(name, kind, private=private, gated=gated)
        repo.commit({k: v.encode() if isinstance(v, str) else v for k, v in (files or {}).items()})
        return repo

    def environment(self, home: Path, token: str = "") -> dict[str, str]:
        """Variables that point the client of another process here, with a cache of its own: another machine."""
        variables = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
        return variables | ({"HF_TOKEN": token} if token else {})

    def asked(self, method: str, ending: str) -> list[Seen]:
        """Requests of a method whose path ends so."""
        return [seen for seen in self.seen if seen.method == method and seen.path.endswith(ending)]


def is_large(path: str, content: bytes) -> bool:
    return bool(content) and (path.endswith(LARGE) or len(content) >= 1_000_000)


def etag(path: str, content: bytes) -> str:
    """Sha256 of a file in git-lfs, git's own hash of any other."""
    if is_large(path, content):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, code: str = ""):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.hub.connections.append(self.connection)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def answer(self) -> None:
        split = urlsplit(self.path)
        self.query = parse_qs(split.query)
        self.note = Seen(self.command, unquote(split.path), {k.lower(): v for k, v in self.headers.items()})
        self.hub.seen.append(self.note)
        length = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.body = self.read_chunks() if chunked else self.rfile.read(length)
        try:
            self.user = self.who()
            for pattern, methods, respond in ROUTES:
                match = pattern.fullmatch(split.path)  # still quoted: a revision may hold a slash
                if match and self.command in methods.split():
                    respond(self, **{key: value and unquote(value) for key, value in match.groupdict().items()})
                    return
            raise Refused(404, f"nothing at {self.command} {split.path}")
        except Refused as refused:
            headers = {"X-Error-Message": refused.message} | ({"X-Error-Code": refused.code} if refused.code else {})
            self.send(json.dumps({"error": refused.message}).encode(), refused.status, headers)

    def read_chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def who(self) -> str | None:
        sent = self.headers.get("Authorization", "")
        if not sent:
            return None
        user = self.hub.tokens.get(sent.removeprefix("Bearer "))
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return user

    def send(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, cut: int = -1) -> None:
        self.note.status = status
        self.send_response(status)
        named = {"Content-Type": "application/json", "Content-Length": str(len(body))} | dict(headers or {})
        for key, value in named.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut < 0 else body[:cut])
        if cut >= 0:
            self.close_connection = True
            self.wfile.flush()

    def send_json(self, values: object, headers: Mapping[str, str] | None = None) -> None:
        self.send(json.dumps(values).encode(), headers=headers)

    def repo(self, kind: str | None, name: str, *, write: bool = False) -> Repo:
        kind = (kind or "models").rstrip("/").removesuffix("s")
        found = self.hub.repos.get((kind, name))
        if found is None or not found.readable(self.user):
            raise Refused(401 if self.user is None else 404, "Repository not found", "RepoNotFound")
        if write and self.user != name.partition("/")[0]:
            raise Refused(403, "You don't have the rights to write to this repository")
        return found

    def commit_of(self, repo: Repo, revision: str) -> str:
        found = repo.find(revision)
        if found is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found

    # information

    def info(self, kind: str, name: str, rev: str | None = None) -> None:
        repo = self.repo(kind, name)
        sha = self.commit_of(repo, rev or "main")
        files = [{"rfilename": path} for path in repo.commits[sha]]
        author = name.partition("/")[0]
        common = {"_id": "0" * 24, "id": name, "author": author, "sha": sha, "private": repo.private, "tags": []}
        counts = {"downloads": 0, "likes": 0, "lastModified": "2026-01-01T00:00:00.000Z", "disabled": False}
        self.send_json(common | counts | {"gated": "manual" if repo.gated else False, "siblings": files})

    def tree(self, kind: str, name: str, rev: str, path: str | None = None) -> None:
        repo = self.repo(kind, name)
        files = repo.commits[self.commit_of(repo, rev)]
        inside = f"{path}/" if path else ""
        below = {p: c for p, c in files.items() if p.startswith(inside)}
        rows = [_row(p, c) for p, c in below.items()]
        folders = {p.rpartition("/")[0] for p in below if "/" in p}
        if self.query.get("recursive", ["false"])[0].lower() not in ("1", "true"):
            rows = [row for row in rows if "/" not in row["path"][len(inside) :]]
            folders = {p[len(inside) :].partition("/")[0] for p in below if "/" in p[len(inside) :]}
            folders = {inside + folder for folder in folders}
        listed = [{"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in sorted(folders)]
        self.send_json(listed + rows)

    def paths_info(self, kind: str, name: str, rev: str) -> None:
        repo = self.repo(kind, name)
        files = repo.commits[self.commit_of(repo, rev)]
        if self.headers.get("Content-Type", "").startswith("application/json"):
            wanted = json.loads(self.body)["paths"]
        else:
            wanted = parse_qs(self.body.decode())["paths"]
        self.send_json([_row(path, files[path]) for path in wanted if path in files])

    def list_refs(self, kind: str, name: str) -> None:
        repo = self.repo(kind, name)
        branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repo.refs.items()]
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in repo.tags.items()]
        self.send_json({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})

    def whoami(self) -> None:
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        self.send_json(
            {"type": "user", "id": "0" * 24, "name": self.user, "fullname": self.user, "orgs": [], "auth": {}}
        )

    # files

    def resolve(self, kind: str | None, name: str, rev: str, path: str) -> None:
        repo = self.repo(kind, name)
        if repo.gated and self.user not in {name.partition("/")[0], *repo.granted}:
            words = f"Access to model {name} is restricted"
            raise Refused(401 if self.user is None else 403, words, "GatedRepo")
        sha = self.commit_of(repo, rev)
        found = {"X-Repo-Commit": sha}
        if path not in repo.commits[sha]:
            self.send(b"", 404, found | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            return
        if path in self.hub.broken:
            raise Refused(self.hub.broken[path], "the server failed")
        true = repo.commits[sha][path]
        content, tag = self.hub.tampered.get(path, true), etag(path, true)
        found |= {"ETag": f'"{tag}"', "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if is_large(path, true):
            found |= {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(true))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status = 200
        if asked:
            first, last = int(asked[1]), int(asked[2] or len(content) - 1)
            if first >= len(content):
                raise Refused(416, "Range not satisfiable")
            found["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        waiting = self.hub.cuts.get(path, []) if self.command == "GET" else []
        self.send(content, status, found, cut=waiting.pop(0) if waiting else -1)

    # writing

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        owner = asked.get("organization") or self.user
        if owner != self.user:
            raise Refused(403, f"You don't have the rights to create a repository under the namespace {owner!r}")
        kind, name = asked.get("type") or "model", f"{owner}/{asked['name']}"
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        address = {"url": f"{self.hub.url}/{TYPES[kind]}{name}", "name": name}
        if (kind, name) in self.hub.repos:
            self.send(json.dumps(address | {"error": "You already created this repo"}).encode(), 409)
            return
        self.hub.add(name, {".gitattributes": ""}, kind=kind, private=private)
        self.send_json(address)

    def delete(self) -> None:
        asked = json.loads(self.body)
        kind, name = asked.get("type") or "model", f"{asked.get('organization') or self.user}/{asked['name']}"
        self.repo(f"{kind}s", name, write=True)
        del self.hub.repos[kind, name]
        self.send_json({})

    def point(self, kind: str, name: str, what: str, rev: str) -> None:
        repo, asked = self.repo(kind, name, write=True), json.loads(self.body or b"{}")
        if what == "tag":
            repo.tags[asked["tag"]] = self.commit_of(repo, rev)
        else:
            repo.refs[rev] = self.commit_of(repo, asked.get("startingPoint") or "main")
        self.send_json({})

    def validate_yaml(self) -> None:
        """Hold a card against what the Hub's own check is known to insist on."""
        text = json.loads(self.body)["content"]
        match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        try:
            metadata = yaml.safe_load(match[1]) if match else {}
        except yaml.YAMLError as err:
            raise Refused(400, f"the metadata is not YAML: {err}") from err
        problems = []
        for key, kinds in {"tags": list, "library_name": str, "license": (str, list), "model-index": list}.items():
            if key in metadata and not isinstance(metadata[key], kinds):
                problems.append(f'"{key}" is of the wrong type')
        for entry in metadata.get("model-index") or []:
            for result in entry.get("results", []):
                whole = {"task": {"type"}, "dataset": {"type", "name"}}
                lacking = {key: keys - set(result.get(key, {})) for key, keys in whole.items()}
                problems += [f'"{key}" lacks {", ".join(keys)}' for key, keys in lacking.items() if keys]
                problems += [f'"metrics" lacks {k}' for m in result["metrics"] for k in ("type", "value") if k not in m]
        if problems:
            raise Refused(400, "; ".join(problems))
        self.send_json({"errors": [], "warnings": []})

    def preupload(self, kind: str, name: str, rev: str) -> None:
        repo = self.repo(kind, name, write=True)
        files = repo.commits[self.commit_of(repo, rev)]
        rows = []
        for asked in json.loads(self.body)["files"]:
            path = asked["path"]
            large = path.endswith(LARGE) or asked["size"] >= 1_000_000
            known = {"oid": etag(path, files[path])} if path in files else {}
            rows.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False} | known)
        self.send_json({"files": rows})

    def lfs_batch(self, kind: str | None, name: str) -> None:
        self.repo(kind, name, write=True)
        rows: list[dict[str, object]] = []
        for asked in json.loads(self.body)["objects"]:
            row = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.large:
                upload = {"href": f"{self.hub.url}/lfs/{asked['oid']}"}
                row["actions"] = {"upload": upload, "verify": {"href": f"{self.hub.url}/lfs-verify"}}
            rows.append(row)
        self.send_json({"transfer": "basic", "objects": rows})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refused(400, "the content does not have the announced hash")
        self.hub.large[oid] = self.body
        self.send(b"")

    def lfs_verify(self) -> None:
        asked = json.loads(self.body)
        if len(self.hub.large.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, "this object was never uploaded")
        self.send_json({})

    def commit(self, kind: str, name: str, rev: str) -> None:
        repo = self.repo(kind, name, write=True)
        head = self.commit_of(repo, rev)
        files = dict(repo.commits[head])
        for line in self.body.splitlines():
            step = json.loads(line)
            value = step["value"]
            if step["key"] == "header" and value.get("parentCommit", head) != head:
                raise Refused(412, "A commit has happened since")
            if step["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif step["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif step["key"] == "deletedFile":
                files.pop(value["path"])
            elif step["key"] == "deletedFolder":
                files = {k: v for k, v in files.items() if not k.startswith(value["path"].rstrip("/") + "/")}
        sha = repo.commit(files, rev)
        address = f"{self.hub.url}/{TYPES[repo.kind]}{name}/commit/{sha}"
        self.send_json({"success": True, "commitOid": sha, "commitUrl": address, "hookOutput": ""})


def _row(path: str, content: bytes) -> dict[str, object]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    row: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git}
    if is_large(path, content):
        row["lfs"] = {"oid": etag(path, content), "size": len(content), "pointerSize": 134}
    return row


_API = r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)"
_FILES = r"/(?P<kind>datasets/|spaces/)?(?P<name>[^/]+/[^/]+)"
ROUTES = [
    (re.compile(pattern), methods, respond)
    for pattern, methods, respond in (
        (_API, "GET HEAD", _Handler.info),
        (_API + r"/revision/(?P<rev>.+)", "GET HEAD", _Handler.info),
        (_API + r"/tree/(?P<rev>[^/]+)(/(?P<path>.+))?", "GET", _Handler.tree),
        (_API + r"/paths-info/(?P<rev>.+)", "POST", _Handler.paths_info),
        (_API + r"/refs", "GET", _Handler.list_refs),
        (_API + r"/(?P<what>tag|branch)/(?P<rev>.+)", "POST", _Handler.point),
        (_API + r"/preupload/(?P<rev>.+)", "POST", _Handler.preupload),
        (_API + r"/commit/(?P<rev>.+)", "POST", _Handler.commit),
        (r"/api/repos/create", "POST", _Handler.create),
        (r"/api/repos/delete", "DELETE", _Handler.delete),
        (r"/api/whoami-v2", "GET", _Handler.whoami),
        (r"/api/validate-yaml", "POST", _Handler.validate_yaml),
        (_FILES + r"\.git/info/lfs/objects/batch", "POST", _Handler.lfs_batch),
        (r"/lfs/(?P<oid>[0-9a-f]{64})", "PUT", _Handler.lfs_put),
        (r"/lfs-verify", "POST", _Handler.lfs_verify),
        (_FILES + r"/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "GET HEAD", _Handler.resolve),
    )
]
