"""OmniRL and its kin: sequence models that learn in their context, in training (PyTorch) and at play."""
