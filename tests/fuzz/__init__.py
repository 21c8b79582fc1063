"""The whole OpenAPI document against a real gateway: `make fuzz`; a seeded slice in `make test`."""
