"""Make's app keeps Make's rules; and every rule is one that can be broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from integrations.generate import files, source
from tests.integrations.conftest import INTEGRATIONS
from tests.integrations.make_rules import problems

APP = INTEGRATIONS / "make" / "src"
EVENT_INPUTS = {one["key"] for event_type in source.from_files() for one in event_type["inputs"]}

MANIFEST = "makecomapp.json"
BASE = "general/base.iml.json"
INVITE = "modules/create-invitation/create-invitation.communication.iml.json"
INVITE_FORM = "modules/create-invitation/create-invitation.mappable-params.iml.json"
SUBMISSIONS = "modules/search-submissions/search-submissions.communication.iml.json"
CLIP = "modules/on-clip-approved/on-clip-approved"
ATTACH = "webhooks/on-clip-approved/on-clip-approved.attach.iml.json"
DETACH = "webhooks/on-clip-approved/on-clip-approved.detach.iml.json"
RECEIVE = "webhooks/on-clip-approved/on-clip-approved.communication.iml.json"
MISTAKES = [
    (INVITE, '"method": "POST"', '"methd": "POST"', "methd is not known there"),
    (INVITE, '"POST"', '"FETCH"', "Make has no method FETCH"),
    (INVITE, '"body": {', '"qs": {', "POST needs a body"),
    (INVITE, '"output"', '"outputs"', "outputs is not known there"),
    (INVITE, "parameters.customer_email", "parameters.email", "{{parameters.email}} names nothing that is there"),
    (INVITE, "{{parameters.customer_email}}", "{{body.id}}", "body is not known where {{body.id}} stands"),
    (INVITE, "{{body}}", "{{item}}", "item is not known where {{item}} stands"),
    (INVITE, "{{body}}", "{{upper(body)}}", "upper is not a function"),
    (INVITE, "{{body}}", "{{body.}}", "{{body.}} cannot be read"),
    (
        SUBMISSIONS,
        '"limit": "{{parameters.limit}}",\n    "iterate"',
        '"iterate"',
        "iterate needs a limit and an output",
    ),
    (INVITE_FORM, '"type": "email"', '"type": "mail"', "Make has no type mail"),
    (INVITE_FORM, '"type": "text"', '"type": "select"', "a select needs them"),
    (INVITE_FORM, '"advanced"', '"hidden"', "hidden is not known there"),
    (INVITE_FORM, '"customer_name"', '"customer_email"', "customer_email is there twice"),
    (f"{CLIP}.interface.iml.json", '"type": "date"', '"type": "datetime"', "Make has no type datetime"),
    (f"{CLIP}.samples.iml.json", '"clip_id"', '"clipId"', "clip_id is only in the interface"),
    (f"{CLIP}.samples.iml.json", '"clip_take": 1', '"clip_take": "1"', "clip_take is not of the type integer"),
    (
        "webhooks/on-review-created/on-review-created.params.iml.json",
        "rpc://apps",
        "rpc://app",
        "there is no rpc://app",
    ),
    (ATTACH, "externalHookId", "hookId", "externalHookId is not kept"),
    (ATTACH, "{{webhook.url}}", "{{webhook.address}}", "{{webhook.address}} names nothing"),
    (DETACH, "{{webhook.externalHookId}}", "{{webhook.id}}", "{{webhook.id}} names nothing"),
    (DETACH, '"DELETE"', '"GET"', "must DELETE"),
    (RECEIVE, "{{body}}", "{{payload}}", "payload is not known"),
    (
        "connections/relay/relay.communication.iml.json",
        "{{body.workspace}}",
        "{{connection.apiKey}}",
        "is not known where",
    ),
    (BASE, "{{connection.apiKey}}", "{{connection.token}}", "{{connection.token}} names nothing"),
    (BASE, '"RateLimitError"', '"TooManyError"', "Make has no error type TooManyError"),
    (BASE, '"429"', '"4xx"', "4xx is not known there"),
    (BASE, "request.headers.authorization", "request.headers.cookie", "the API key would be in the log"),
    (MANIFEST, '"onClipApproved": {', '"on.clip": {', "Make does not take this name"),
    (MANIFEST, '"webhook": "onClipApproved"', '"webhook": "onClip"', "there is no webhook onClip"),
    (MANIFEST, '"webhook": "onClipApproved",', "", "that needs one"),
    (MANIFEST, '"moduleType": "search"', '"moduleType": "list"', "Make has no module type list"),
    (MANIFEST, '"actionCrud": "create",', "", "actionCrud belongs to an action"),
    (MANIFEST, '"endpoint": {}', '"endpoints": {}', "endpoints is not known there"),
    (MANIFEST, f'"interface": "{CLIP}.interface.iml.json"', '"interface": null', "interface has no file"),
    ("modules/groups.json", '"onClipApproved",', "", "onClipApproved must be a module, and in one group"),
    ("modules/groups.json", '"onClipApproved",', '"onClip",', "onClip must be a module, and in one group"),
]


ORDER = {
    "id": 7,
    "total": 4.5,
    "paid_at": "2026-10-07T09:12:05Z",
    "customer": {"name": "Dana", "address": {"city": "Bern"}},
    "lines": [{"sku": "A-1", "quantity": 2}],
    "tags": ["new"],
    "notes": [],
    "extra": {},
    "coupon": None,
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(APP, tmp_path / "src"))


def test_the_app_keeps_the_rules() -> None:
    assert problems(APP, EVENT_INPUTS) == []


def test_the_app_for_event_types_of_ones_own_keeps_them_too(tmp_path: Path) -> None:
    types, root = tmp_path / "types", tmp_path / "integrations"
    types.mkdir()
    for name in ("order.placed", "order_placed", "2nd.order-" + "x" * 100):
        (types / f"{name}.json").write_text(json.dumps(ORDER))
    app = root / "make" / "src"
    shutil.copytree(APP, app)

    written = files.write(source.from_files(types), root)

    assert len([path for path in written if "/modules/on-" in path]) == 15
    assert problems(app, EVENT_INPUTS) == []
    interface = json.loads((app / "modules" / "on-order-placed" / "on-order-placed.interface.iml.json").read_text())
    fields = {one["name"]: one for one in interface}
    assert fields["lines"]["spec"] == {
        "type": "collection",
        "spec": [
            {"name": "sku", "label": "Sku", "type": "text"},
            {"name": "quantity", "label": "Quantity", "type": "integer"},
        ],
    }
    assert fields["customer"]["spec"][1]["spec"] == [{"name": "city", "label": "City", "type": "text"}]
    assert fields["tags"]["spec"] == {"type": "text"}
    assert (fields["paid_at"]["type"], fields["coupon"]["type"]) == ("date", "text")


@pytest.mark.parametrize(("path", "right", "wrong", "problem"), MISTAKES, ids=[mistake[3] for mistake in MISTAKES])
def test_a_mistake_is_found(copy: Path, path: str, right: str, wrong: str, problem: str) -> None:
    text = (copy / path).read_text()
    assert right in text
    (copy / path).write_text(text.replace(right, wrong))

    assert any(problem in one for one in problems(copy, EVENT_INPUTS))


def test_a_file_that_is_not_there_is_found(copy: Path) -> None:
    (copy / INVITE).unlink()

    assert problems(copy, EVENT_INPUTS) == [f"{INVITE}: is missing"]


def test_a_file_that_belongs_to_nothing_is_found(copy: Path) -> None:
    (copy / "modules" / "old.iml.json").write_text("{}")

    assert problems(copy, EVENT_INPUTS) == ["modules/old.iml.json: no component names this file"]


def test_a_new_input_of_an_event_type_must_be_sent() -> None:
    """The attach request of every trigger hands on what its form asks for, and Watch Events all there is."""
    for name, asked in [
        ("events", {"event_type", *EVENT_INPUTS}),
        ("on-rating-dropped", None),
        ("on-clip-approved", set()),
    ]:
        folder = APP / "webhooks" / name
        form = {one["name"] for one in json.loads((folder / f"{name}.params.iml.json").read_text())}
        body = json.loads((folder / f"{name}.attach.iml.json").read_text())["body"]
        sent = {value[13:-2] for value in body.values() if value.startswith("{{parameters.")}
        assert sent == (form if asked is None else asked)
