// libsluice holds what the rooms' archives hold; this file only gives it a version to ask for.
#include "runtime/library.h"

namespace sluice {

const char* version() { return SLUICE_VERSION; }

}  // namespace sluice
