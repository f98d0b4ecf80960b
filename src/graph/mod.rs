//! Manifest → petgraph DAG of actions; keys and stale reasons.
