import pytest

import neurokit_fm
from neurokit_fm.deprecations import DEPRECATED, Moved


def test_an_old_name_still_works_and_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEPRECATED, "Montage", Moved(to="neurokit_fm.Channels", since="0.4", gone_in="0.6"))
    with pytest.warns(
        FutureWarning, match="neurokit_fm.Montage is now neurokit_fm.Channels; .* goes away in 0.6"
    ) as seen:
        assert neurokit_fm.Montage is neurokit_fm.Channels
    assert seen[0].filename == __file__, "the warning points at the user's line"


def test_an_old_name_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEPRECATED, "Montage", Moved(to="neurokit_fm.Channels", since="0.4", gone_in="0.6"))
    assert "Montage" not in dir(neurokit_fm)
