"""The contract of galleries, for each YAML in configs/gallery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins import plugin_factory, plugin_names

from pipeline.contracts.test_gallery import *  # noqa: F403
from pipeline.contracts.test_gallery import Factory, brute_force, identity, query_of, random_units


@pytest.fixture(scope="module", params=plugin_names("gallery"))
def factory(request: pytest.FixtureRequest) -> Factory:
    return plugin_factory("gallery", request.param)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 12), st.integers(0, 30), st.integers(1, 40)),
        st.tuples(st.just("drop"), st.integers(1, 12), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(steps=steps, query_seed=st.integers(0, 30), k=st.integers(1, 6))
def test_answers_depend_on_who_is_in_it_and_on_nothing_else(
    factory: Factory, steps: list[tuple[str, int, int, int]], query_seed: int, k: int
) -> None:
    gallery, people = factory(), {}
    query = random_units(query_seed, 1)[0]
    for verb, person_id, seed, num in steps:
        if verb == "put":
            # Few seeds: the same vectors come up in several people, so that there are ties.
            people[person_id] = random_units(seed, num)
            gallery.put(identity(person_id, people[person_id]))
        else:
            people.pop(person_id, None)
            gallery.drop(person_id)
    afresh = factory()
    for person_id in sorted(people, reverse=True):
        afresh.put(identity(person_id, people[person_id]))
    assert len(gallery) == len(people)
    expected = brute_force(people, query, k)
    assert gallery.nearest(query_of(query), k) == expected
    assert afresh.nearest(query_of(query), k) == expected
