"""The numbers campaign in short: tests/numbers, with the same seeds each time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import campaign
import pytest
from making import Place, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

# As many as take 3 seconds.
CASES = {
    "keys": 150,
    "assignments": 150,
    "geometry": 200,
    "statistics": 120,
    "codecs": 150,
    "metadata": 60,
}
# Seeds that found something. When what makes the cases is changed, they are cases like others.
FOUND: dict[str, list[int]] = {
    "keys": [1000, 1063],
    "assignments": [1018, 1053, 1158],
    "geometry": [1004, 1006, 1014, 1017, 1111, 1114, 1290, 1515, 7018, 7101, 7182, 7471],
    "statistics": [1022, 1051, 1077, 1214],
    "codecs": [1134, 1146, 1458, 1546, 2095, 2285],
    "metadata": [1014, 1034],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("numbers"))
    yield place
    place.close()


@pytest.mark.slow
@pytest.mark.parametrize("subject", CASES)
def test_random_cases_agree(subject: str, place: Place) -> None:
    compared = 0
    for seed in [*FOUND[subject], *range(CASES[subject])]:
        try:
            compared += campaign.case(subject, seed, place)
        except Exception as error:
            pytest.fail(f"{campaign.command(subject, seed)}\n{campaign.text_of(error)}")
    assert compared >= CASES[subject]


def test_a_failure_repeats_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The campaign reports what differs, and one seed is one case."""
    monkeypatch.setattr("check_keys.difference", lambda found, expected: "all is wrong")
    texts = []
    for _ in range(2):
        with pytest.raises(AssertionError, match=r"all is wrong\n") as caught:
            campaign.case("keys", 7, place)  # type: ignore[arg-type]
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert "array = " in texts[0]
    assert "image[" in texts[0]


def test_cases_are_printed_as_python() -> None:
    assert literal((slice(None, 3), ..., [1, None])) == "(slice(None, 3, None), ..., [1, None])"
