# infer. Sets SLUICE_INFER_NODES.
set(SLUICE_INFER_NODES infer.cc infer_types.cc)
