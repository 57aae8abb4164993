"""OmniRL: an in-context learner, meta-trained on AnyMDP tasks that no benchmark plays."""
