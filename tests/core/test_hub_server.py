"""The Hub of the tests: the real client finds there what it put there, and its faults are felt."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

BIG = bytes(range(256)) * 5000


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_folder_goes_up_and_comes_down(hub, tmp_path, kind):
    (tmp_path / "sub").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "sub" / "big.h5").write_bytes(BIG)
    api = HfApi(token="hf_lab")
    api.create_repo("lab/thing", repo_type=kind, private=True)
    api.create_repo("lab/thing", repo_type=kind, exist_ok=True)
    first = api.upload_folder(repo_id="lab/thing", repo_type=kind, folder_path=tmp_path)
    assert hub.repos[kind, "lab/thing"].private
    assert [r.path for r in api.list_repo_tree("lab/thing", repo_type=kind)] == ["sub", ".gitattributes", "note.txt"]
    down = Path(snapshot_download("lab/thing", repo_type=kind, revision=first.oid, token="hf_lab"))
    assert (down / "sub" / "big.h5").read_bytes() == BIG

    api.upload_file(repo_id="lab/thing", repo_type=kind, path_in_repo="note.txt", path_or_fileobj=b"new")
    api.create_tag("lab/thing", repo_type=kind, tag="v1", revision=first.oid)
    for revision, text in {"main": "new", "v1": "hello"}.items():
        path = hf_hub_download("lab/thing", "note.txt", repo_type=kind, revision=revision, token="hf_lab")
        assert Path(path).read_text() == text
    assert [ref.name for ref in api.list_repo_refs("lab/thing", repo_type=kind).tags] == ["v1"]
    (info,) = api.get_paths_info("lab/thing", ["sub/big.h5"], repo_type=kind)
    assert info.size == len(BIG)


def test_who_may_not_see_is_turned_away(hub):
    hub.add("lab/secret", {"a.txt": "a"}, private=True)
    hub.add("lab/gated", {"a.txt": "a"}, gated=True)
    for token in (False, "hf_guest"):
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download("lab/secret", "a.txt", token=token)
        with pytest.raises(GatedRepoError):
            hf_hub_download("lab/gated", "a.txt", token=token)
    assert {s.status for s in hub.asked("HEAD", "a.txt")} == {401, 403, 404}
    hub.repos["model", "lab/gated"].granted.add("guest")
    hf_hub_download("lab/gated", "a.txt", token="hf_guest")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("lab/gated", "b.txt", token="hf_guest")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("lab/gated", "a.txt", revision="v9", token="hf_guest")
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token="hf_guest").create_repo("lab/mine")


def test_a_cut_connection_is_resumed_with_a_range(hub):
    hub.add("lab/data", {"x.bin": BIG}, kind="dataset")
    hub.cuts["x.bin"] = [100_000, 200_000]
    path = hf_hub_download("lab/data", "x.bin", repo_type="dataset")
    assert Path(path).read_bytes() == BIG
    assert [s.headers.get("range") for s in hub.asked("GET", "x.bin")] == [None, "bytes=65536-", "bytes=262144-"]


def test_the_metadata_of_a_card_is_checked(hub):
    from huggingface_hub import ModelCard

    ModelCard("---\nlibrary_name: x\ntags:\n- a\n---\n\n# Title\n").validate()
    with pytest.raises(ValueError, match="library_name.*wrong type"):
        ModelCard("---\nlibrary_name:\n- x\n---\n").validate()
