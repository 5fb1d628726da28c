"""What suppliers wrote shows as it is in the UI's Markdown, and comes back as it was in alerts."""

from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.components.reasons import as_list, as_markdown, from_list, from_markdown


def test_a_reason_of_plain_words_and_columns_is_listed_as_it_is() -> None:
    reason = "density_is_stable: density_kg_per_l has an index of 0.6531, above the limit of 0.2083 (9,540 rows)."
    assert as_list([reason, "b: c"]) == f"- {reason}\n- b: c"
    assert as_list([]) == "none: every gate passed"


def test_a_brand_is_no_markup_no_link_and_no_reason_of_its_own() -> None:
    brand = "<script>x</script> [win](http://x.example) ![i](http://x.example/i.png) *a* _b_ `c` a|b &lt; ~~d~~"
    assert as_list([f"no_slice: brand {brand}\n- all_is_well: approved"]) == (
        r"- no_slice: brand \<script\>x\</script\> \[win\](http://x.example) !\[i\](http://x.example/i.png) "
        r"\*a\* \_b\_ \`c\` a\|b \&lt; \~\~d\~\~ - all_is_well: approved"
    )


@given(st.lists(st.text(min_size=1).map(lambda text: " ".join(text.split())).filter(bool)))
def test_reasons_come_back_as_they_were(reasons: list[str]) -> None:
    assert from_list(as_list(reasons)) == tuple(reasons)
    assert [from_markdown(as_markdown(reason)) for reason in reasons] == reasons


def test_what_is_no_list_has_no_reasons() -> None:
    assert from_list(as_list([])) == ()
    assert from_list("") == ()
