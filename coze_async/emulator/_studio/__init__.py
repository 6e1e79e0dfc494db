"""Coze Studio and Coze Plus, as real servers of both answered."""
