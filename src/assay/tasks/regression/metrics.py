"""What is known of the metrics of regression: of the measure ``regression``, and of ``uncertainty`` where it is of
values.

A metric of one of several targets bears its name, ``mae_age``; of a single target there is no such name. R² and
Spearman's correlation have no unit and are means over the targets.
"""

from functools import partial

from assay.tasks.metric import NOT_NEGATIVE, TO_ONE, UP_TO_ONE, Metric

TARGET = {"target": ".+"}
METHOD = {"method": "plain|injected"}
LEVEL = {"level": "50|80|90|95"}

_error = partial(Metric, better="lower", of="answers", within=NOT_NEGATIVE)
_fit = partial(Metric, better="higher", of="answers", within=UP_TO_ONE)
_correlation = partial(Metric, better="higher", of="answers", within=(-1.0, 1.0))
_coverage = partial(Metric, of="calibration", unit="share", within=TO_ONE)

REGRESSION = (
    _fit("r2", "R²"),
    _error("mae", "MAE"),
    _error("mae_{target}", "MAE of {target}", where=TARGET),
    _correlation("spearman", "Spearman's ρ"),
    _error("rmse", "RMSE"),
    _error("rmse_{target}", "RMSE of {target}", where=TARGET),
    _fit("r2_{target}", "R² of {target}", where=TARGET),
    _correlation("spearman_{target}", "Spearman's ρ of {target}", where=TARGET),
    _fit("validation_r2", "validation R²"),
    _fit("train_r2", "train R²"),
)

_density = partial(Metric, better="lower", of="answers", where=METHOD)
_tuned = partial(Metric, of="calibration", within=NOT_NEGATIVE)

INTERVALS = (
    _density("gaussian_nll_{method}", "negative log-likelihood ({method})"),
    _density("validation_gaussian_nll_{method}", "validation negative log-likelihood ({method})"),
    _coverage("coverage_{level}_{method}", "coverage of {level} % intervals ({method})", where=LEVEL | METHOD),
    _tuned("variance_scale_{target}", "variance scale of {target}", where=TARGET),
    _tuned("variance_floor", "variance floor"),
    _tuned("variance_floor_{target}", "variance floor of {target}", where=TARGET),
    _error("width_90_{method}", "width of 90 % intervals ({method})", where=METHOD),
    _error("width_90_{method}_{target}", "width of 90 % intervals of {target} ({method})", where=METHOD | TARGET),
)
