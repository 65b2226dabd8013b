"""How good models are by their labels: what is joined, and what came of it."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "predicted",
        "model:name event_ms:uneven topic:name partition:count offset:even known_ms:uneven id_digest:int version:name "
        "segments:names:rows subject:text:rows value:float label:name:rows naive_value:float naive_label:name:rows "
        "low:float high:float",
        "model event_ms topic partition offset",
        row="a prediction that labels are joined with, by 64 bits of its id, of models with "
        "`spec.performance`; `known_ms` is its own time, or the watermark of its partition if that was "
        "further, `naive_value` and `naive_label` what the field says that it is compared with, "
        "if there is one, `low` and `high` the ends of its interval; an empty `label` is a class of that "
        "name where its `value` is infinite, and none otherwise",
        time="event_ms",
        keep="predictions",
        part="week",
    ),
    # Sums are those of `detectors.performance`; `age_ms` is 0 for what is known now.
    table(
        "performance",
        "model:name hour_ms:even age_ms:even version:name segment:name:segment scheme:name predictions:count "
        "labelled:count classes:names:own class_predictions:counts class_labelled:counts delay_hours:counts "
        "delay_labels:counts keys:counts sums:ints true_classes:names:own predicted_classes:names:own "
        "class_weights:counts",
        "model hour_ms age_ms version segment",
        row="the predictions of an hour with their labels: those known `age_ms` after its end, which never change "
        "again, or (0) all that are known now; how many have one, by predicted class and by hours of delay, and what "
        "metrics are made of",
        time="hour_ms",
        keep="scores",
        part="month",
        page_rows=2_000,
    ),
    table(
        "performance_findings",
        "model:name hour_ms:even version:name segment:name:segment layout:name n:count names:names:own counts:counts",
        "model hour_ms version segment",
        row="the errors that per-event detectors were shown in an hour of labels, `n` of them, and of each detector "
        "how many it judged, its findings, and in how many spells these came",
        time="hour_ms",
        keep="scores",
        part="month",
    ),
    table(
        "performance_horizons",
        "model:name at_ms:even partitions:names:own counted_ms:ints",
        "model at_ms",
        row="with what hours were judged at a time: what of `partitions` was known before their `counted_ms`, which is "
        "2<sup>62</sup> where everything counts, and as much below 0 where nothing does; of other partitions nothing "
        "counts",
        time="at_ms",
        keep="scores",
    ),
    table(
        "performance_progress",
        "model:name number:int config:str:own judged_ms:int partitions:names:own offsets:ints hours_ms:ints "
        "since_ms:ints",
        "model",
        newest_by="number",
        row="up to when hours of a model are judged, up to which offsets predictions and labels were looked at, and "
        "the hours that they touched and that are still to be worked out anew",
    ),
)
