"""TensorBoard beside the cluster: curves of trainings and searches, live, from Postgres."""
