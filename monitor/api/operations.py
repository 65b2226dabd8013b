"""What each operation does, for people who read the OpenAPI document."""

from __future__ import annotations

__all__ = ["OPERATIONS"]

OPERATIONS = {
    "GET /": "A list of addresses, as text, for people who open the service's address.",
    "GET /-/healthy": "`OK` while the process answers, for probes that were made for Alertmanager.",
    "GET /-/ready": "`OK` when the service is ready, else 503 with the reasons, as text.",
    "POST /-/reload": "Reads the configuration's files again and takes up who is notified, and the models. If a file "
    "is wrong, or anything else in them has changed, the answer is 500 with the reason, and everything stays as it is.",
    "PUT /-/reload": "Does what `POST` does here.",
    "GET /healthz": "200 while the process answers, whatever its sources and its store do; for a liveness probe.",
    "GET /readyz": "200 when the service is ready for traffic, else 503 with `reasons`; for a readiness probe. `notes` "
    "says what is amiss and keeps nothing from working.",
    "GET /metrics": "The service's figures in the text format of Prometheus.",
    "GET /v1/status": "What the service does now, for people; it is free to change. `unseen` lists what does not come, "
    "and `failing_receivers` who takes no notifications, since when and why.",
    "GET /v1/problems": "Every kind of problem that a `type` may name, with its status.",
    "GET /v1/unregistered-models": "Names that messages give models and that no model has, with how many messages there"
    " are, since when, where the first one stands, and why.",
    "GET /v1/fleet": "A row for each model: its gravest alert and since when, how far it was from normal in each "
    "part of the last days, its newest window, its last event, and how many labels there are. What needs a look is "
    "first.",
    "GET /v1/models": "Every model by name, with its owner, its labels and where its events come from.",
    "GET /v1/models/{model}": "The configuration of a model with all defaults, the detectors of each signal, and the "
    "state of each series in its newest window.",
    "GET /v1/models/{model}/configuration": "The document of the last version that was accepted, or of an earlier one, "
    "as it was written, with who accepted it when. `Accept: application/yaml` gives the document alone.",
    "PUT /v1/models/{model}/configuration": "Takes a model's document, as files have it, checks it as files are "
    "checked, and has every process go by it within seconds. A model of a file is refused (409).",
    "POST /v1/models/{model}/baseline": "Puts a version of the model's document in force that differs by its baseline "
    "alone: another one, or the period that the present one was learned from. With `dry_run`, what that would be.",
    "DELETE /v1/models/{model}/configuration": "Ends the watching of a model that the API owns. What is stored of it "
    "stays; a file of that name holds from then on.",
    "GET /v1/models/{model}/configuration/diff": "What differs between two versions: which fields, which series keep "
    "what they have learned, and with `days` what would have fired.",
    "GET /v1/models/{model}/configuration/effective": "Every value that the process which answers goes by, defaults "
    "included, with what says it: the model's document, defaults of files, or Leeway's own default; and the line.",
    "GET /v1/schemas/{kind}": "What may stand in a configuration file of this kind, with what it means, as JSON Schema "
    "(draft 2020-12): `leeway schema` prints the same.",
    "GET /v1/models/{model}/configuration/versions": "Every version that was accepted, the last one first, and which "
    "processes do not go by that one.",
    "GET /v1/series": "A row for each series and detector that decides about it: whether it fires, is blind, learns or "
    "protects, since when, and why. What fires comes first. With a `signal`, it says how small a shift can be found.",
    "GET /v1/series/summary": "A row for each model: how many detectors fire, are blind, learn and protect, and its "
    "alerts beside the false alarms that its configuration accepts for the same time.",
    "GET /v1/whoami": "Who asks, by the token or the session, with the role, and every operation that is allowed: a "
    "page offers what is in `may`. Where the service asks for no token, that is everything.",
    "GET /v1/explain": "Finds the window of a signal that holds the time `at`, and says what was expected, what there "
    "was, what would have alarmed, and who was notified. Without a window there, it names the nearest ones (404).",
    "GET /v1/history": "Scores by the time at which windows end, in ms since the epoch. With `step`, such as `1h` or "
    "`auto`, they come in buckets of time, each with its worst window.",
    "GET /v1/expected": "What was expected of each window of a signal at its hour, what there was, and between which "
    "values nothing would have alarmed by itself, contrast by contrast: from what was stored when each day began.",
    "GET /v1/heatmap": "How large the drift of each signal was in each cell of time, or how near it was to one, and in "
    "which cells windows were in drift: what a whole model has been like, in one answer.",
    "GET /v1/top": "Signals that drifted in `[from, to)`, by their largest `effect / min_effect`, with the window it "
    "comes from, the share of windows in drift, and the alerts in which they moved.",
    "GET /v1/performance": "Metrics of the predictions in `[from, to)` that have a label, each with a 95 % confidence "
    "interval or the reason why there is none: as known now, or `age` after the hour of the prediction.",
    "GET /v1/labels": "How many predictions of each `step` have a label by now, in all and by predicted class, and "
    "within how long half and nine in ten of them have one.",
    "GET /v1/estimates": "What each estimator of a model says of the predictions of each `step`, before their labels "
    "come, and how far that is from what is known of them by now.",
    "GET /v1/baselines": "A row for each series: from when to when, and over how many events, its baseline is; how "
    "many days the rule `change` has learned from; and which level somebody accepted last as its new normal.",
    "GET /v1/findings": "Single observations at which a per-event detector fired, each with the log position of its "
    "event. `drift`: things are different from here on; `anomaly`: this one value is odd.",
    "GET /v1/distributions": "Counts of a signal's values by cell in `[from, to)`, and beside another span with "
    "`against_from` and `against_to`, with every distance that applies. 409: they were counted in different cells.",
    "GET /v1/compare": "Compares `[from, to)` of a version and segment with the baseline, signal by signal. What the "
    "`against_…` parameters leave out is as on the first side. From a `strength` of 1 on, a difference matters.",
    "GET /v1/slices": "Compares stored events that a model got wrong with the others, or any two slices by outcome, "
    "label or loss, by the distances of `/v1/compare`. A sample by ids, whose size it states.",
    "GET /v1/rows": "Stored events of such a slice with prediction and label, and the fields that differ most first. "
    "Private fields never appear; the audit log has who asked.",
    "GET /v1/alerts": "Alerts as they stand, whose condition held at some time between `from` and `to`. "
    "`transitions=true` gives the log of their steps instead.",
    "GET /v1/alerts/summary": "Alerts that started in `[from, to)`, by day (UTC), model and severity, and all together "
    "with how long they held, in ms.",
    "GET /v1/alerts/stream": "Sends each transition as it is stored: `event` is its state, `data` the transition as "
    "JSON, `id` its place. Whoever comes back with `Last-Event-ID` misses nothing. A comment every 15 s keeps the "
    "connection open.",
    "GET /v1/alerts/{alert_id}": "The alert, all its transitions, who was notified, and who has taken it on.",
    "GET /v1/alerts/{alert_id}/explain": "The last decision about each receiver that the configuration names for the "
    "alert, with its reason, and every decision in order.",
    "POST /v1/alerts/{alert_id}/ack": "Says that somebody looks after the alert: its group is not repeated until it "
    "changes. `undo` takes that back. An alert that is over cannot be taken on (422).",
    "GET /v1/incidents": "Alerts of any models that belong together, with their likeliest causes first; those that "
    "held at some time between `from` and `to`.",
    "GET /v1/incidents/{incident_id}": "The incident, its alerts in the order in which they fired, and why each "
    "belongs to it. The id of any of its alerts finds it.",
    "POST /v1/incidents/{incident_id}/ack": "Takes on all alerts of the incident that fire, and returns which. An "
    "incident that is over cannot be taken on (422).",
    "GET /v1/deployments": "What was announced, by the time of the change; `model` selects those that name it.",
    "POST /v1/deployments": "Tells incidents what was changed, when, and whom it affects: models, topics or labels. "
    "Posting the same again changes nothing; with an `id`, posting again changes that deployment.",
    "GET /v1/clocks": "The clock of each partition, for each model that reads it: how far it is ahead of the "
    "machine's, in ms, how many events of the last ten minutes came late, and who set it back last.",
    "POST /v1/clocks": "Sets the clocks of a model that are ahead of `to` (now if absent) back to it, of one topic and "
    "partition or of all, and lists them. Windows that were evaluated are not evaluated again.",
    "GET /v1/marks": "What people said of signals and of their alerts; `from` and `to` mean the time from which it "
    "holds.",
    "POST /v1/marks": "Says that the level of a signal is its new normal (`accepted`, with a `reason`), or that its "
    "alert was `false`, `harmless` or `real`. The model needs `detect.rule: change`.",
    "GET /v1/rollouts": "What was compared with what, by whom and since when, and the verdict; not its evidence.",
    "POST /v1/rollouts": "Compares two versions of a model in the same spans of time, from the next window on that is "
    "evaluated, until the candidate may stay, has to go, or `until` is over. The same again is the same rollout.",
    "GET /v1/rollouts/{rollout}": "Metric by metric: champion and candidate, the difference with bounds that hold at "
    "all times, of how many events, and what is assumed.",
    "POST /v1/rollouts/{rollout}/stop": "Compares no more, from the next window on that is evaluated; the alert about "
    "a verdict is over then. A verdict stays.",
    "GET /v1/subscriptions": "Each with whom it notifies of what; `problem` says why one notifies nobody.",
    "POST /v1/subscriptions": "Notifies a `receiver`, an `email` or a `webhook` of the alerts that all `matchers` "
    "match, from now on and of what fires already. The same request is the same subscription.",
    "GET /v1/subscriptions/{subscription}": "Whom it notifies of what, by its id.",
    "DELETE /v1/subscriptions/{subscription}": "Ends it, and deletes the address.",
    "GET /v1/silences/{silence_id}": "The silence, the alerts of which it kept somebody from being notified, and who "
    "was notified that it started or is over.",
    "GET /v1/dead-letters": "Messages, or fields of messages, with the reason why they could not be used. "
    "`payload=false` leaves out the messages themselves, of up to 64 KiB each.",
    "POST /v1/dead-letters/retries": "Puts rejected messages back on their streams, a thousand at most, and says of "
    "each what became of it. `dry_run` only looks. Sent twice, it puts them back twice.",
    "GET /v1/erasures": "Keyed hashes of the subjects, times and counts; `until_ms` is null while one has not ended.",
    "POST /v1/erasures": "Deletes a data subject from everything that is stored, and answers with the proof when "
    "nothing remains, which may take minutes. `dry_run` only looks. If it is cut off, the same request completes it.",
    "POST /v1/exports": "A line of JSON for each row that `POST /v1/erasures` would remove or change: its `table`, its "
    "`key` there, and the `row`. Who asked, and about whom by a keyed hash, is in the audit log.",
    "GET /v1/jobs": "What runs by the clock, for each process that has run it of late: when its last run began, and "
    "what became of it; and whether the job is paused.",
    "GET /v1/jobs/runs": "Each run in each process, and each request for one; `from` and `to` mean when it began.",
    "POST /v1/jobs/{job}/run": "Every process that has the job's role runs it within seconds; its runs have the "
    "`asked_ms` of this answer.",
    "PUT /v1/jobs/{job}/pause": "No process runs it by the clock until somebody resumes it. One that is paused already "
    "stays so since then, for the new reason.",
    "DELETE /v1/jobs/{job}/pause": "It runs by the clock again; the answer is the pause that is over.",
    "GET /v1/audit": "Changes, looks at data of persons, and refused attempts, the latest first, with the token, the "
    "route and the answer. Of very many an entry says how many before it are not listed.",
    "GET /v1/tokens": "Every token that there ever was, without its secret: first those that are good, the newest "
    "before others; those of the configuration are among them.",
    "POST /v1/tokens": "Makes a token, and answers with its `secret`, once: only a digest is kept. Other processes "
    "know it within seconds.",
    "DELETE /v1/tokens/{token}": "Ends a token for ever, by its name or id. Requests with it are refused within "
    "seconds, and streams end.",
    "POST /v1/events/{stream}": "Appends one event, an array of them, or an event per line. 202: they are on disk, and "
    "will be read. Events that cannot be used become dead letters. Sent again, they are appended again, and dropped "
    "if they have an identity (`schema.id`).",
    "POST /v1/events": "Does what `POST /v1/events/{stream}` does.",
    "GET /api/v2/status": "The version of Alertmanager's API, and the routes in force as YAML, without addresses.",
    "GET /api/v2/receivers": "The names of all receivers.",
    "GET /api/v2/alerts": "Alerts that fire, Leeway's own and posted ones, with their receivers and what keeps them "
    "quiet, as Alertmanager shows them.",
    "POST /api/v2/alerts": "Takes alerts of Prometheus or of a program. Those that are right are taken even where "
    "others are wrong (400, which names them).",
    "GET /api/v2/alerts/groups": "Alerts that fire, in the groups and in the order in which they are notified.",
    "GET /api/v2/silences": "What ends next comes first, then what begins next, then what ended in the last five days.",
    "POST /api/v2/silences": "Adds a silence, or changes the one with the `id`. It counts at the next look at a group.",
    "GET /api/v2/silence/{name}": "The silence with this id.",
    "DELETE /api/v2/silence/{name}": "Ends the silence now; it is listed for five more days.",
}
"""By method and path; the summary stands at the route."""
