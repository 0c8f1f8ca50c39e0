"""The catalogue: what the built-in files promise, and what an operator's folder may hold."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from relay.catalogue import Catalogue, EventType, first_folder, read_folder
from relay.core.errors import StartError

TESTIMONIALS = {
    "invitation.created",
    "clip.uploaded",
    "clip.approved",
    "clip.rejected",
    "submission.submitted",
    "submission.approved",
    "render.succeeded",
    "payout.sent",
    "payout.delivered",
    "payout.failed",
}
STORES = {"review.created", "rating.dropped"}
BUILT_IN = Catalogue.load(None).types()


def custom(folder: Path, name: str, content: object) -> EventType:
    """The one event type of a folder with one file."""
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    [event_type] = read_folder(folder)
    return event_type


def test_the_built_in_types_are_those_of_the_two_producers() -> None:
    catalogue = Catalogue.load(None)
    assert set(catalogue.ids()) == TESTIMONIALS | STORES
    assert catalogue.ids() == tuple(sorted(catalogue.ids())) == tuple(one.id for one in catalogue.types())
    assert {one.id for one in catalogue.types() if one.producer == "testimonials"} == TESTIMONIALS
    assert {one.id for one in catalogue.types() if one.producer == "app_reviews"} == STORES
    assert "clip.approved" in catalogue
    assert "clip.unknown" not in catalogue
    assert len(catalogue) == 12
    assert catalogue.get("clip.unknown") is None


@pytest.mark.parametrize("event_type", BUILT_IN, ids=lambda one: one.id)
class TestBuiltIn:
    """Rules that every built-in sample keeps, as the no-code platforms want them."""

    def test_texts_fit_a_drop_down(self, event_type: EventType) -> None:
        assert event_type.label[0].isupper()
        assert event_type.description.startswith("Triggers when ")
        assert event_type.description.endswith(".")

    def test_the_payload_is_flat_and_leaves_the_keys_of_the_wires_alone(self, event_type: EventType) -> None:
        payload = json.loads(event_type.sample.payload)
        assert not any(isinstance(value, (dict, list)) for value in payload.values())
        assert not payload.keys() & {"id", "event_id", "event_type", "occurred_at_iso", "subscriber_id"}
        assert [field.key for field in event_type.fields] == list(payload)

    def test_every_unix_time_equals_its_iso_twin(self, event_type: EventType) -> None:
        payload = json.loads(event_type.sample.payload)
        twins = [(key, key.removesuffix("_iso")) for key in payload if key.endswith("_iso")]
        twins += [(key.removesuffix("_unix"), key) for key in payload if key.endswith("_unix")]
        assert twins
        for iso_key, unix_key in twins:
            iso, unix = payload[iso_key], payload[unix_key]
            assert (iso is None) == (unix is None)
            assert iso is None or datetime.fromisoformat(iso).timestamp() == unix
            types = {field.key: field.type for field in event_type.fields}
            assert types[iso_key] == "datetime"
            assert types[unix_key] == "integer"

    def test_ids_have_the_form_of_real_ones(self, event_type: EventType) -> None:
        assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", event_type.sample.id)
        for key, value in json.loads(event_type.sample.payload).items():
            if key in ("submission_id", "clip_id", "collector_id", "invitation_id", "render_id", "payout_id"):
                assert re.fullmatch(r"[a-z]+_[a-z2-7]{16}", value), key

    def test_nothing_in_a_sample_happens_after_the_event(self, event_type: EventType) -> None:
        for key, value in json.loads(event_type.sample.payload).items():
            if key.endswith("_at_iso") and value and "expires" not in key:
                assert datetime.fromisoformat(value).timestamp() * 1000 <= event_type.sample.created_at_ms, key


def test_the_field_types_of_one_key_agree_over_the_testimonial_events() -> None:
    """A null in one sample must not make a key a text that is a number in another."""
    seen: dict[str, set[str]] = {}
    for event_type in BUILT_IN:
        if event_type.producer == "testimonials":
            for field in event_type.fields:
                seen.setdefault(field.key, set()).add(field.type)
    assert {key: types for key, types in seen.items() if len(types) > 1} == {}


def test_the_packaged_copy_wins_over_the_checkout(tmp_path: Path) -> None:
    packaged, checkout = tmp_path / "relay" / "sample_events", tmp_path / "sample_events"
    checkout.mkdir()
    assert first_folder([packaged, checkout]) == checkout
    packaged.mkdir(parents=True)
    assert first_folder([packaged, checkout]) == packaged
    with pytest.raises(StartError, match="sample_events folder is missing"):
        first_folder([tmp_path / "nowhere"])


def test_a_bare_payload_is_enough(tmp_path: Path) -> None:
    event_type = custom(tmp_path, "order.created.json", {"order_id": "o-1", "total": 12.5, "paid": True})
    assert event_type.label == "Order created"
    assert event_type.description == "Triggers when order.created is published."
    assert event_type.producer == "custom"
    assert event_type.sample.workspace_id == "sample"
    assert event_type.sample.type == "order.created"
    assert event_type.sample.payload == '{"order_id":"o-1","total":12.5,"paid":true}'
    assert datetime.fromisoformat("2026-10-07T09:12:05Z").timestamp() * 1000 == event_type.sample.created_at_ms
    assert read_folder(tmp_path) == [event_type], "samples are stable between loads"


def test_a_delivery_body_is_a_file_too(tmp_path: Path) -> None:
    data = {"event_id": "evt_1", "occurred_at_iso": "2026-01-01T00:00:00Z", "order_id": "o-1"}
    event_type = custom(tmp_path, "order.paid.json", {"event": "order.paid", "created_at": 1767225600, "data": data})
    assert event_type.sample.payload == '{"order_id":"o-1"}'
    assert event_type.sample.created_at_ms == 1767225600000


def test_a_whole_file_says_everything(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    content = {
        "label": "Order shipped",
        "description": "Triggers when an order leaves the house.",
        "occurred_at": "2026-01-01T01:00:00+01:00",
        "event_id": "01M4660K20YTTSR6HDDJCP8N86",
        "fields": {"order_id": {"label": "Order number", "help": "As printed."}, "parcel_at": {"type": "datetime"}},
        "payload": {"order_id": "o-1", "parcel_at": None},
    }
    (folder / "order.shipped.json").write_text(json.dumps(content), encoding="utf-8")
    [event_type] = read_folder(tmp_path)
    assert (event_type.label, event_type.producer) == ("Order shipped", "shop")
    assert event_type.sample.id == "01M4660K20YTTSR6HDDJCP8N86"
    assert event_type.sample.created_at_ms == 1767225600000
    number, parcel = event_type.fields
    assert (number.label, number.help, number.type) == ("Order number", "As printed.", "string")
    assert (parcel.label, parcel.type) == ("Parcel At", "datetime")


def test_numbers_and_key_order_arrive_unchanged(tmp_path: Path) -> None:
    text = '{ "z": 4.50, "a": 1e3, "n": [ 123456789012345678901234567890, -0 ],\n "t": "ü \\u0041 \\n" }'
    event_type = custom(tmp_path, "x.json", text)
    assert event_type.sample.payload == '{"z":4.50,"a":1e3,"n":[123456789012345678901234567890,-0],"t":"ü A \\n"}'


def test_field_types_come_from_the_sample(tmp_path: Path) -> None:
    payload = {
        "a": "x", "b": 1, "c": 1.5, "d": True, "e": "2026-01-01T00:00:00Z", "f": None, "g": {}, "h": [], "i": "2026",
    }  # fmt: skip
    types = [field.type for field in custom(tmp_path, "x.json", payload).fields]
    assert types == ["string", "integer", "number", "boolean", "datetime", "string", "object", "list", "string"]


def test_default_labels_are_title_case_words(tmp_path: Path) -> None:
    payload = {"customer_email": "", "clip_id": "", "review_url": "", "orderTotal": ""}
    labels = [field.label for field in custom(tmp_path, "x.json", payload).fields]
    assert labels == ["Customer Email", "Clip ID", "Review URL", "OrderTotal"]


def test_an_operators_file_replaces_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "clip.approved.json").write_text('{"mine": 1}', encoding="utf-8")
    catalogue = Catalogue.load(tmp_path)
    replaced = catalogue.get("clip.approved")
    assert replaced is not None
    assert replaced.sample.payload == '{"mine":1}'
    assert len(catalogue) == 12


def test_other_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    for name in ("..data/a.json", ".a.json", "README.md", "a.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert [one.id for one in read_folder(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("Order.json", "{}", "the name must be"),
        ("a b.json", "{}", "the name must be"),
        ("a" * 129 + ".json", "{}", "the name must be"),
        ("a.json", "", "must be JSON"),
        ("a.json", '{"a": 1,}', "must be JSON"),
        ("a.json", "[]", "must be a JSON object"),
        ("a.json", '"x"', "must be a JSON object"),
        ("a.json", "7", "must be a JSON object"),
        ("a.json", '{"a": NaN}', "NaN is not JSON"),
        ("a.json", '{"a": -Infinity}', "-Infinity is not JSON"),
        ("a.json", '{"a": 1e999}', "too large"),
        ("a.json", '{"a": 1, "a": 2}', "same key twice"),
        ("a.json", r'{"a": "\ud800"}', "surrogate"),
        ("a.json", '{"a":' * 101 + "1" + "}" * 101, "at most 100 deep"),
        ("a.json", "[" * 200_000, "at most 100 deep"),
        ("a.json", json.dumps({"a": "x" * 262_144}), "at most 256 KB"),
        ("a.json", '{"payload": 1}', "payload must be a JSON object"),
        ("a.json", '{"payload": {}, "lable": "x"}', "unknown key 'lable'"),
        ("a.json", '{"payload": {}, "label": 7}', "label must be a text"),
        ("a.json", '{"payload": {}, "label": " "}', "label must be a text"),
        ("a.json", '{"payload": {}, "occurred_at": "yesterday"}', "occurred_at must be"),
        ("a.json", '{"payload": {}, "occurred_at": "2026-01-01T00:00:00"}', "occurred_at must be"),
        ("a.json", '{"payload": {}, "event_id": "evt_1"}', "event_id must be a ULID"),
        ("a.json", '{"payload": {}, "fields": []}', "fields must be an object"),
        ("a.json", '{"payload": {}, "fields": {"b": {}}}', "which the payload does not have"),
        ("a.json", '{"payload": {"b": 1}, "fields": {"b": {"type": "money"}}}', "the type of b"),
        ("a.json", '{"payload": {"b": 1}, "fields": {"b": {"hint": "x"}}}', "unknown key 'hint'"),
        ("a.json", '{"event": "b", "created_at": 1, "data": {}}', "event must be 'a'"),
        ("a.json", '{"event": "a", "created_at": "now", "data": {}}', "created_at must be"),
        ("a.json", '{"event": "a", "created_at": 1, "data": 1}', "data must be a JSON object"),
    ],
)
def test_a_bad_file_is_named_in_one_line(tmp_path: Path, name: str, text: str, hint: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(StartError, match=re.escape(hint)) as caught:
        Catalogue.load(tmp_path)
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_in_another_encoding_is_refused_and_a_byte_order_mark_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert len(read_folder(tmp_path)) == 1
    path.write_bytes('{"a": "ü"}'.encode("latin-1"))
    with pytest.raises(StartError, match="must be UTF-8"):
        read_folder(tmp_path)


def test_one_event_type_twice_in_a_folder_is_refused(tmp_path: Path) -> None:
    for producer in ("a", "b"):
        (tmp_path / producer).mkdir()
        (tmp_path / producer / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StartError, match="keep one of them"):
        read_folder(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="must be an existing folder"):
        Catalogue.load(tmp_path / "nowhere")
