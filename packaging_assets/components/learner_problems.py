"""What learners say of models' parameters and features, as training would, after an hour perhaps."""

from collections.abc import Iterable, Iterator

from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.training_steps import train_params
from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.models import make_architecture


def learner_problems(specs: Iterable[ModelSpec]) -> Iterator[str]:
    """A sentence for each model whose learner refuses it; this imports the learners."""
    for spec in specs:
        try:
            make_architecture(train_params(spec))
        except ArchitectureError as error:
            yield f"{spec.name}: {error}"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an architecture of one's own may raise anything
            yield f"{spec.name}: {type(error).__name__}: {error}"
