"""What a `featurize` job takes, and how a feature set is named."""

from uuid import UUID

from pydantic import Field

from app.core.requests import PluginSpec, RequestModel

#: Morgan counts + Avalon counts + ErG + all RDKit 2-D descriptors: the recipe of MapLight
#: (Notwell & Wood 2023, arXiv:2310.00174), best default on the shared data sets
DEFAULT_FEATURES = (
    PluginSpec(name="morgan_counts"),
    PluginSpec(name="avalon_counts"),
    PluginSpec(name="erg"),
    PluginSpec(name="rdkit_descriptors"),
)

TABLE_FEATURES = (PluginSpec(name="columns"),)

#: `name`, `name:number` (newest version when left out) or an id
DatasetRef = str


class FeaturizeParams(RequestModel):
    dataset: DatasetRef = Field(max_length=100, examples=["esol", "esol:2"])
    features: tuple[PluginSpec, ...] = Field(default=DEFAULT_FEATURES, min_length=1, max_length=8)
    #: resolved by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None
