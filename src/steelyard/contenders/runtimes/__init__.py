"""Ways to train and to run a language model, and the techniques they switch on."""
