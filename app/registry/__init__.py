"""Names of models: who may bear an alias, who bore it, how a version came to be and goes away."""
