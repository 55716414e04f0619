"""Which words of a command line are of which site, and what two sites may not share."""

import pytest

from pipeline.config.composition import load_config, to_yaml
from pipeline.config.sites import load_sites
from pipeline.core.errors import ConfigError


def test_a_line_that_names_no_sites_is_of_one_without_a_name() -> None:
    sites = load_sites(["site=world_easy", "output_dir=/a/run"])
    assert list(sites) == [""]
    assert to_yaml(sites[""]) == to_yaml(load_config(["site=world_easy", "output_dir=/a/run"]))


def test_each_site_is_as_it_would_be_alone_in_a_folder_of_its_own() -> None:
    sites = load_sites(
        [
            "sites={1: demo, west: world_easy}",
            "matcher.window_s=1",
            "sites.west.matcher.window_s=2",
            "output_dir=/a/run",
        ]
    )
    assert list(sites) == ["1", "west"]
    of_west = ["site=world_easy", "matcher.window_s=2", "output_dir=/a/run/west", "site_name=west"]
    of_1 = ["site=demo", "matcher.window_s=1", "output_dir=/a/run/1", "site_name='1'"]
    assert [to_yaml(config) for config in sites.values()] == [to_yaml(load_config(of)) for of in (of_1, of_west)]


def test_sites_that_are_named_by_their_keys_alone_need_no_list() -> None:
    sites = load_sites(
        [
            "sites.east.site.cameras={a: /a/b.mp4}",
            "sites.west=world_easy",
            "sink=[jsonl]",
            "sites.west.sink=[jsonl,mot]",
        ]
    )
    assert sites["east"].site.cameras.keys() != sites["west"].site.cameras.keys()
    assert (list(sites["east"].sink), list(sites["west"].sink)) == (["jsonl"], ["jsonl", "mot"])
    folders = {config.output_dir.rpartition("/")[0] for config in sites.values()}
    assert len(folders) == 1  # it names the second of the start, which is one for all


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sites=[demo,demo]"], "sites: expected "),
        (["sites=[]"], "sites: expected "),
        (["sites={east: {cameras: 1}}"], "sites: expected "),
        (["sites.a b=demo"], "sites: expected names of letters"),
        (["sites=[demo]", "site=demo"], "site: expected no place for all"),
        (["sites=[demo]", "sites.dmo.matcher.window_s=1"], r"sites\.dmo: expected one of demo, got dmo"),
        (["sites=[demo,nowhere]"], "site nowhere: site: expected one of "),
        (["sites.east=demo", "matcher.windo_s=1"], r"site east: matcher\.windo_s: .* did you mean matcher\.window_s"),
        (["sites.east.resume=true"], r"sites\.east\.resume: .* write resume="),
        (["sites.east.runtime.threads=2"], r"sites\.east\.runtime\.threads: "),
        (["sites.east=demo", "sites.esat.matcher.window_s=2"], r"sites\.esat: expected a place or cameras, .* east\)"),
        (["sites.east=demo", "site_name=foo"], "site_name: expected none for all"),
        (["sites=[demo]", "site_name=foo"], "site_name: expected none for all"),
        (["sites.east=demo", "sites.east.site_name=foo"], r"sites\.east\.site_name: is east"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_site_or_the_key(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        load_sites(words)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["sink=[kafka]"], "sink.kafka.topics.sightings"),
        (["sink=[kafka]", "sink.kafka.topics={alerts: all}"], "sink.kafka.topics.sightings"),
        (["sink=[counts]", "sink.counts.kafka={topic: counts, servers: broker}"], "sink.counts.kafka.topic"),
        (["sink=[mqtt]", "sink.mqtt.url=mqtt://broker"], "sink.mqtt.topic"),
        (["edits=/a/edits.yaml"], "edits"),
        (["sink=[jsonl]", "sink.jsonl.output_dir=/a/one"], "sink.jsonl.output_dir"),
        (["sink=[alert_clips]", "alert_clips.output_dir=/a/one"], "alert_clips.output_dir"),
        (["sink=[jsonl]", "+sink.mine={_target_: mine.Table, csv: /a/people.csv}"], "sink.mine.csv"),
        (["sink=[jsonl]", "+sink.mine={_target_: mine.Table, file: people.csv}"], "sink.mine.file"),
        (["sink=[jsonl]", "+sink.mine={_target_: mine.Table, store: {folder: people}}"], "sink.mine.store.folder"),
    ],
)
def test_two_sites_do_not_write_to_one_place(words: list[str], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}: .* for east and west; write '{key}=.*[./]\$\{{site_name\}}'"):
        load_sites(["sites={east: demo, west: demo}", *words])


@pytest.mark.parametrize(
    ("of_east", "said"),
    [
        ("sites.east.sink.jsonl.output_dir=/a/run/../run/west", r"sink\.jsonl\.output_dir: .* for west \(output_dir\)"),
        (
            "+sites.east.sink.mine={_target_: mine.Table, to: /a/table}",
            r"sink\.other\.path: .* for east \(sink\.mine\.to\)",
        ),
    ],
)
def test_two_sites_do_not_write_to_one_place_under_other_names(of_east: str, said: str) -> None:
    of_west = "+sites.west.sink.other={_target_: other.Table, path: /a/table}"
    with pytest.raises(ConfigError, match=f"^{said}"):
        load_sites(["sites={east: demo, west: demo}", "sink=[jsonl]", "output_dir=/a/run", of_east, of_west])


def test_sites_may_share_what_they_only_read() -> None:
    read = ["sink=[jsonl,console]", "sink.console.accounts=/a/users.sqlite", "sink.console.certificate=/a/host.pem"]
    mine = "+sink.mine={_target_: mine.Table, template: /a/table.html, password_file: /a/password, url: postgres://a/b}"
    assert list(load_sites(["sites={east: demo, west: demo}", *read, mine])) == ["east", "west"]


def test_the_name_of_the_site_keeps_places_apart() -> None:
    topics = [f"sink.kafka.topics.{kind}={kind}.${{site_name}}" for kind in ("sightings", "corrections", "alerts")]
    sites = load_sites(["sites={east: demo, west: demo}", "sink=[kafka]", *topics])
    assert [config.sink["kafka"]["topics"]["alerts"] for config in sites.values()] == ["alerts.east", "alerts.west"]


def test_one_topic_on_two_brokers_is_two() -> None:
    of_west = "sites.west.sink.kafka.servers=other:9092"
    assert list(load_sites(["sites={east: demo, west: demo}", "sink=[kafka]", of_west])) == ["east", "west"]


def test_commands_for_one_site_say_that_they_take_no_more() -> None:
    with pytest.raises(ConfigError, match=r"^sites: only passerby run and passerby doctor"):
        load_config(["sites=[demo]"])
