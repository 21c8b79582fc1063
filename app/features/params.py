"""What a `featurize` job takes, and how a feature set is named."""

from uuid import UUID

from pydantic import Field

from app.core.requests import PluginSpec, RequestModel
from app.features.recipes.maplight import MapLight

DEFAULT_FEATURES = MapLight.features

TABLE_FEATURES = (PluginSpec(name="columns"),)

#: `name`, `name:number` (newest version when left out) or an id
DatasetRef = str


class FeaturizeParams(RequestModel):
    dataset: DatasetRef = Field(max_length=100, examples=["esol", "esol:2"])
    #: featurizers, or a recipe such as `maplight`
    features: tuple[PluginSpec, ...] = Field(default=DEFAULT_FEATURES, min_length=1, max_length=8)
    #: resolved by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None
