//! Walks the graph, asks the cache, runs stages, publishes outputs.
