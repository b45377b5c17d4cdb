"""Collect, pretrain, train, evaluate, record, checkpoint, watch."""
