"""The demo: a coordinator process and many REST clients find the hidden groups in real digits."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from secure_clove.data.federation import Federation
from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.engine.plan import Config
from secure_clove.engine.policy import Policy
from secure_clove.errors import CloveError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.observe.live import LiveTable
from secure_clove.observe.runs import AuditRow, RoundRecord, RunWriter, Summary
from secure_clove.sdk.client import FederatedClient
from secure_clove.sdk.config import Settings, plan
from secure_clove.sdk.keys import load_identity, new_identity
from secure_clove.sdk.operator import Operator
from secure_clove.stores.sql import SqlStore
from secure_clove.studies.activity import Activity
from secure_clove.studies.crowd import Crowd, MakeClient, Member
from secure_clove.studies.maps import CentroidMap, EmbeddingMap
from secure_clove.studies.recording import Recorder
from secure_clove.studies.report import write_report
from secure_clove.studies.seen import ended_with, sealed_clusters, shown_vectors
from secure_clove.studies.server import coordinator_process
from secure_clove.studies.visibility import Visibility

POLL_S = 0.25
FEATURES, CLASSES = 64, 10
PROBES = 15
"""Untrained models evaluated beside the 5: enough to find the groups in round 1 (ADR 0009)."""
FREQUENCIES = 30
"""Of the sealed demo's sketch: more than its 25 clients can afford without probes (ADR 0012)."""
SETTINGS, FEDERATION, AUDIT = "settings.json", "federation.json", "audit.json"
COORDINATOR, CLIENTS = "coordinator", "clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What to run.

    Attributes:
        folder: Takes everything the run leaves behind.
        settings: Of the federation.
        clients_per_cluster: Clients in each hidden group.
        with_audit: Whether to attack the run afterwards.
    """

    folder: Path
    settings: Settings
    clients_per_cluster: int = 5
    with_audit: bool = True

    @property
    def visibility(self) -> Visibility:
        """What the coordinator learns from the clustering."""
        return Visibility.of(self.settings.model_dump())

    def data(self) -> Federation:
        """Return the digits, divided: two digits a cluster, none shared."""
        return label_skew_1(
            *digits(),
            clusters=self.settings.clusters,
            clients_per_cluster=self.clients_per_cluster,
            seed=self.settings.seed,
        )


def options_for(visibility: str) -> dict[str, bool | int | float | str]:
    """Return the options of the demo's algorithm."""
    options: dict[str, bool | int | float | str] = {"probes": PROBES}
    if visibility == "sealed":
        options["features"] = FREQUENCIES
    return options


def tasks_of(data: Federation) -> dict[ClientId, TorchTask]:
    """Return a linear classifier's task for every client."""
    model = partial(linear, FEATURES, CLASSES)
    return {
        client: TorchTask(model=model, train=(d.train_x, d.train_y), test=(d.test_x, d.test_y))
        for client, d in data.clients.items()
    }


def run_demo(demo: Demo, console: Console) -> Summary:
    """Run the whole demo and return its summary; `runs/demo/report.html` shows it.

    Raises:
        CloveError: the federation could not finish, or an attack failed to run.
    """
    began = time.monotonic()
    _clear(demo.folder)
    writer = RunWriter(demo.folder, fresh=True)
    data = demo.data()
    config, initial = plan(demo.settings, partial(linear, FEATURES, CLASSES))
    _describe(demo, data)
    key = new_identity(demo.folder / "federation.key")
    with coordinator_process(
        demo.folder / COORDINATOR,
        operator_key=key.public.hex(),
        log=demo.folder / "coordinator.log",
    ) as url:
        operator = Operator(url, load_identity(demo.folder / "federation.key"))
        tokens = operator.create(config, initial, data.clients)
        crowd = Crowd(_members(demo, url, data, tokens, key.public.hex()))
        records = _watch(demo, config, data, operator, crowd, console, writer)
        operator.close()
    audit = _audit(demo, console) if demo.with_audit else {}
    summary = _summary(demo, config, data, crowd, records, audit, time.monotonic() - began)
    writer.summarise(summary)
    _report(demo, data, crowd, records, summary)
    return summary


def _clear(folder: Path) -> None:
    """Remove what an earlier demo left: only what a demo writes."""
    for name in (COORDINATOR, CLIENTS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("federation.key", "coordinator.log", SETTINGS, FEDERATION, AUDIT):
        (folder / name).unlink(missing_ok=True)


def _describe(demo: Demo, data: Federation) -> None:
    (demo.folder / SETTINGS).write_text(demo.settings.model_dump_json(indent=2))
    described = {
        "dataset": "digits",
        "partition": data.name,
        "seed": demo.settings.seed,
        "clusters": demo.settings.clusters,
        "clients_per_cluster": demo.clients_per_cluster,
    }
    (demo.folder / FEDERATION).write_text(json.dumps(described, indent=2))


def _members(
    demo: Demo,
    url: str,
    data: Federation,
    tokens: Mapping[ClientId, str],
    federation_key: str,
) -> dict[ClientId, Member]:
    asked = demo.settings.privacy
    policy = Policy(
        max_epsilon=max(asked.epsilon_total, asked.epsilon_metrics) if asked else float("inf"),
        delta=asked.delta if asked else 1e-5,
        min_cohort=demo.settings.min_cohort,
        federation_key=federation_key,
    )

    def maker(client: ClientId) -> MakeClient:
        path = demo.folder / CLIENTS / f"{client}.key"
        new_identity(path)
        return lambda watch: FederatedClient(
            url,
            path,
            policy,
            federation=demo.settings.name,
            token=tokens[client],
            watch=watch,
        )

    return {
        client: Member(make=maker(client), task=task) for client, task in tasks_of(data).items()
    }


def _watch(
    demo: Demo,
    config: Config,
    data: Federation,
    operator: Operator,
    crowd: Crowd,
    console: Console,
    writer: RunWriter,
) -> list[RoundRecord]:
    """Start the federation and show it until everybody has left."""
    asked = demo.settings.privacy
    budget = (
        f"ε ≤ {asked.epsilon_total:g} at δ {asked.delta:g}" if asked else "no differential privacy"
    )
    recorder = Recorder(data.truth)
    records: list[RoundRecord] = []
    with LiveTable(
        federation=demo.settings.name,
        clients=len(data.clients),
        clusters=config.clusters,
        rounds=config.rounds,
        transport="http",
        privacy=f"{budget} · {demo.visibility.in_short}",
        budget=asked.epsilon_total if asked else None,
        console=console,
    ) as live:
        crowd.start()
        live.activity("clients enrol")
        while not crowd.is_done and None in operator.enrolled(config.federation).values():
            time.sleep(POLL_S)
        operator.start(config)
        activity = Activity(len(data.clients))
        is_over = False
        while not is_over:
            is_over = crowd.is_done
            for progress in crowd.news():
                recorder.progress(progress)
                live.activity(activity.after(progress.round, progress.phase, progress.step))
            for report in operator.rounds(config.federation, after=recorder.reported):
                recorder.report(report, crowd.traffic())
            if is_over and demo.visibility.is_hidden:
                recorder.end(_ended(demo, crowd))
            for record in recorder.complete(is_over=is_over):
                records.append(record)
                writer.append(record)
                live.round(record)
            time.sleep(POLL_S)
    for client, error in crowd.failures.items():
        console.print(f"[red]{client}[/] left: {error}")
    if not crowd.results:
        raise next(iter(crowd.failures.values()))
    return records


def _ended(demo: Demo, crowd: Crowd) -> dict[ClientId, int]:
    """Return the model each client ended with: the clients' own knowledge, which a demo has."""
    models = {c: result.model for c, result in crowd.results.items() if result.model is not None}
    with closing(SqlStore(demo.folder / COORDINATOR)) as store:
        return ended_with(store, FederationId(demo.settings.name), models)


def _audit(demo: Demo, console: Console) -> dict[str, AuditRow]:
    """Attack the run with the attack harness, which is an application of its own."""
    console.print()
    command = [sys.executable, "-m", "threat_models", "run", str(demo.folder)]
    done = subprocess.run(command, check=False)  # noqa: S603  our own command line
    if done.returncode:
        raise CloveError(f"the audit ended with status {done.returncode}; see its output above")
    found = json.loads((demo.folder / AUDIT).read_text())["attacks"]
    names = set(AuditRow.__dataclass_fields__)
    return {
        attack: msgspec.convert({k: v for k, v in row.items() if k in names}, AuditRow)
        for attack, row in found.items()
    }


def _summary(
    demo: Demo,
    config: Config,
    data: Federation,
    crowd: Crowd,
    records: list[RoundRecord],
    audit: Mapping[str, AuditRow],
    seconds: float,
) -> Summary:
    up, down = crowd.traffic()
    accuracy: dict[str, float] = {
        client: result.accuracy
        for client, result in sorted(crowd.results.items())
        if result.accuracy is not None
    }
    spent = [result.spent for result in crowd.results.values()]
    private = config.privacy is not None
    aris = tuple(record.ari for record in records)
    reached = (r.round for r in records if r.ari is not None and r.ari >= 0.9)
    first = None if demo.visibility.is_hidden else next(reached, None)
    return Summary(
        config_hash=config.hash,
        dataset="digits",
        clients=len(data.clients),
        clusters=config.clusters,
        rounds=len(records),
        transport="http",
        secure_aggregation=True,
        noise_mode="local" if private else "none",
        entropy="os",
        embedding="directional" if private else "raw",
        ari_by_round=aris,
        ari_final=aris[-1] if aris else None,
        first_round_ari_0_9=first,
        accuracy_mean=float(np.mean(list(accuracy.values()))) if accuracy else None,
        accuracy_by_client=accuracy,
        epsilon_embedding=max(s.embedding for s in spent) if private else None,
        epsilon_update=max(s.update for s in spent) if private else None,
        epsilon_total=max(s.total for s in spent) if private else None,
        delta=config.privacy.delta if config.privacy else 0.0,
        unit="example",
        dropouts=sum(len(record.dropouts) for record in records),
        bytes_up=up,
        bytes_down=down,
        wall_seconds=seconds,
        audit=audit,
    )


def _report(
    demo: Demo, data: Federation, crowd: Crowd, records: list[RoundRecord], summary: Summary
) -> None:
    claims = next(iter(crowd.results.values())).privacy.splitlines()
    budget = demo.settings.privacy.epsilon_total if demo.settings.privacy else None
    write_report(
        demo.folder,
        summary=summary,
        records=records,
        seen=_seen(demo, data, records),
        statement="\n\n".join(claims),
        settings=demo.settings.model_dump(),
        budget=budget,
    )


def _seen(
    demo: Demo, data: Federation, records: list[RoundRecord]
) -> EmbeddingMap | CentroidMap | None:
    """Return what the coordinator saw of the clients in the last clustering."""
    name = FederationId(demo.settings.name)
    with closing(SqlStore(demo.folder / COORDINATOR)) as store:
        if demo.visibility.is_sealed:
            return sealed_clusters(store, name)
        assigned = records[-1].assignment if records else {}
        return shown_vectors(store, name, assigned=assigned, truth=data.truth)
