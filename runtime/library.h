#pragma once

namespace sluice {

// "0.1.0"; of the library in use, not of the headers.
const char* version();

}  // namespace sluice
