"""What must be built of two revisions: what differs, what is below it, what that is made of."""

from __future__ import annotations

from include.transform.diff.sides import Relation, Revision, choose


def revision(**parents: str) -> Revision:
    """`mart="model"`: a mart that selects from a model."""
    found = {
        name: Relation(name, "marts", name, f"models/marts/{name}.sql", name, tuple(of.split()))
        for name, of in parents.items()
    }
    return Revision(found, frozenset(), {})


BASE = revision(raw="", crimes="raw", monthly="crimes", yearly="monthly", weather="raw")


def test_what_differs_is_built_of_both_and_nothing_else_if_all_else_exists():
    chosen = choose(BASE, BASE, {"monthly", "yearly"}, {*BASE.relations})

    assert chosen.base == chosen.head == chosen.changed == {"monthly", "yearly"}


def test_what_a_change_is_made_of_is_built_if_it_does_not_exist():
    chosen = choose(BASE, BASE, {"yearly"}, {"raw"})

    assert chosen.base == chosen.head == {"crimes", "monthly", "yearly"}
    assert chosen.changed == {"yearly"}


def test_a_removed_relation_and_what_was_below_it_are_built_of_the_base():
    head = revision(raw="", crimes="raw", yearly="crimes", weather="raw")

    chosen = choose(BASE, head, {"yearly"}, {*BASE.relations})

    assert chosen.base == {"monthly", "yearly"}
    assert chosen.head == {"yearly"}


def test_a_new_relation_is_built_only_of_the_head():
    head = revision(
        **{name: " ".join(of.depends_on) for name, of in BASE.relations.items()}, new="crimes"
    )

    chosen = choose(BASE, head, {"new"}, {*BASE.relations})

    assert (chosen.base, chosen.head) == (set(), {"new"})


def test_without_a_difference_nothing_is_built_whatever_exists():
    chosen = choose(BASE, BASE, set(), set())

    assert not chosen.base | chosen.head | chosen.changed
