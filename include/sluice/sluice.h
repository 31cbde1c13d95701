// The one header an application needs: pipelines (contract section 7), and what a node of its own is made of.
#pragma once

#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "framework/node/node.h"
#include "framework/node/registry.h"
#include "nodes/app_ends.h"
#include "runtime/builtin.h"
#include "runtime/library.h"
#include "runtime/pipeline.h"
#include "runtime/report.h"
#include "runtime/snapshot.h"
