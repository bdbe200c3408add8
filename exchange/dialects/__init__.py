"""Translation between wires and the exchange: the only place that knows both."""
