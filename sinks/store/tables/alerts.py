"""Alerts, who is notified about them, and what people said about them."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "alerts",
        # Signals and labels are JSON.
        "model:name alert_id:str:own sequence:int state:name at_ms:int starts_ms:int ends_ms:int version:name "
        "segment:name:segment severity:name title:text:quoted labels:text:left signals:text:document",
        "model alert_id sequence",
        # A replay writes it as it was, and who tries again is later.
        rising="at_ms",
        row="a transition of an alert",
        time="at_ms",
    ),
    table(
        "freshness_alerts",
        "model:name alert_id:str:own sequence:int state:name at_ms:int starts_ms:int ends_ms:int version:name "
        "segment:name:segment severity:name title:text:quoted labels:text:left signals:text:document",
        "model alert_id sequence",
        rising="at_ms",
        row="a transition of an alert about a silence: as in `alerts`, but by the clock, and not of a replay",
        time="at_ms",
        keep="alerts",
    ),
    table(
        "performance_alerts",
        "model:name alert_id:str:own sequence:int state:name at_ms:int starts_ms:int ends_ms:int version:name "
        "segment:name:segment severity:name title:text:quoted labels:text:left signals:text:document",
        "model alert_id sequence",
        rising="at_ms",
        row="a transition of an alert about what labels say: as in `alerts`, but by hours of predictions that are "
        "judged",
        time="at_ms",
        keep="alerts",
    ),
    table(
        "notifications",
        "alert_id:str:own sequence:int receiver:name outcome:name reason:text:free attempts:int at_ms:int",
        "alert_id sequence receiver",
        row="an attempt to notify a receiver",
        time="at_ms",
        keep="alerts",
    ),
    table(
        "decisions",
        "alert_id:str:own sequence:int receiver:name route:text:left at_ms:int why:name detail:text:free "
        "silence:text:own",
        "alert_id sequence receiver route at_ms",
        row="why a receiver was notified about a transition, or was not; a row when that changes; under a silence's id "
        "what came of a notice about it",
        time="at_ms",
        keep="alerts",
    ),
    table(
        "acknowledgements",
        "alert_id:str:own updated_ms:int sequence:int taken_back:int created_by:str:free comment:str:free",
        "alert_id",
        newest_by="updated_ms",
        row="that somebody has taken an alert on, as it stood at a transition; the row changed last stays",
        time="updated_ms",
        keep="alerts",
    ),
    table(
        "posted",
        # Labels and annotations are JSON; the position is the time of the post.
        "fingerprint:str:own position:int labels:str:left annotations:str:document starts_ms:int ends_ms:int "
        "updated_ms:int has_timeout:int link:str:free",
        "fingerprint",
        newest_by="position",
        row="an alert that somebody else posted, as it stands; the row of the latest post stays",
        time="ends_ms",
        keep="alerts",
    ),
    table(
        "subscriptions",
        # Matchers are a list with commas, labels to group by JSON (null is all of them).
        "id:str:own updated_ms:int created_ms:int ended:int matchers:str:left receiver:str:own address:str:left "
        "group_by:str:left group_wait_ms:int group_interval_ms:int repeat_interval_ms:int created_by:str:free "
        "comment:str:free",
        "id",
        newest_by="updated_ms",
        row="who wants to be notified about which alerts, beside the routes; the row changed last stays",
    ),
    table(
        "silences",
        # Matchers are a list with commas; intervals, and the receivers of notices, are JSON.
        "id:str:own updated_ms:int starts_ms:int ends_ms:int matchers:str:left created_by:str:free comment:str:free "
        "intervals:str:own tells:str:own",
        "id",
        newest_by="updated_ms",
        row="a silence; the row changed last stays",
    ),
    table(
        "deployments",
        "id:str:own updated_ms:int at_ms:int name:str:free version:str:left models:strs:own topics:strs:own "
        "labels:str:left link:str:free created_by:str:free",
        "id",
        newest_by="updated_ms",
        row="something that was announced to have been changed; the row changed last stays",
        time="at_ms",
        keep="alerts",
    ),
    table(
        "marks",
        "id:str:own updated_ms:int model:name signal:name segment:name:segment version:name says:name from_ms:int "
        "to_ms:int effective_ms:int alert_id:str:own reason:str:free created_by:str:free",
        "id",
        newest_by="updated_ms",
        row="what somebody says of a signal: that its level is the new normal, or what an alert was; the row changed "
        "last stays",
    ),
    table(
        "rollouts",
        # Metrics are JSON.
        "id:str:own updated_ms:int created_ms:int model:name candidate:name champion:name metrics:text:own level:float "
        "lasts_ms:int from_ms:int stratum_ms:int created_by:str:free reason:str:free stopped_ms:int ends_ms:int "
        "stopped_by:str:free stop_reason:str:free notified_ms:int",
        "id",
        newest_by="updated_ms",
        row="a candidate version that is compared with a champion: by what, since when in event time, and how "
        "long the first spans are; the row changed last stays",
        time="updated_ms",
        keep="alerts",
    ),
    table(
        "rollout_strata",
        "model:name rollout:str:own end_ms:even signal:name candidate_n:count candidate_mean:float "
        "candidate_squares:float champion_n:count champion_mean:float champion_squares:float verdict:name",
        "model rollout end_ms signal",
        row="what both versions of a rollout did in a span of event time, by metric: observations, their mean, and the "
        "sum of squared distances from it; with the verdict behind it",
        time="end_ms",
        keep="alerts",
    ),
    table(
        "incident_alerts",
        "alert_id:str:own incident:str:own fired_ms:int",
        "alert_id",
        row="under which incident an alert was notified first, where routes group by incident",
        time="fired_ms",
        keep="alerts",
    ),
)
