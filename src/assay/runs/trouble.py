"""Why a run failed, in a sentence."""

from assay.errors import AssayError
from assay.system.memory import is_lack_of_memory


def reason(error: Exception, workers: int = 1) -> str:
    """Why a run, one of so many at once, failed, in a sentence."""
    if isinstance(error, AssayError):
        return str(error)
    if is_lack_of_memory(error):
        fewer = ", and fewer --jobs leave each run more" if workers > 1 else ""
        return f"out of memory: a smaller train.batch_size, data.size or model would need less{fewer}"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first} (log.txt has the details)"
