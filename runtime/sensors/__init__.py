"""Where the samples of a pipeline's CAPABILITY stages come from: a module per kind of sensor."""
