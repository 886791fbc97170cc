"""The page about data names everything there is."""

import pytest

from secure_clove.data.catalogue import CATALOGUE
from secure_clove.data.partition import KINDS, WRITERS
from tests.builders import REPOSITORY, needs_checkout

PAGE = REPOSITORY / "docs" / "reference" / "data.md"


@needs_checkout
@pytest.mark.parametrize("name", [*KINDS, WRITERS, *CATALOGUE])
def test_the_page_names_every_kind_and_every_set(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()


@needs_checkout
def test_the_page_names_every_form_of_every_set() -> None:
    text = PAGE.read_text()
    forms = [d.name for entry in CATALOGUE.values() for d in entry.distributions]
    assert [form for form in forms if f"`{form}`" not in text] == []
