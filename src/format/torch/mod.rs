//! PyTorch files: zip and legacy containers, a pickle machine that calls nothing, tensor views, writers.
