// The end of a program that has no memory left where nobody can catch that.
#pragma once

namespace sluice::cli {

// From now on an allocation that fails inside a function of a library that must not throw (ONNX Runtime has
// such in its graph transformers) ends the process with one line on stderr, exit code 1 and no temporary
// files left, instead of by abort(). Other uncaught exceptions abort as before. Once, at the program's start.
void end_in_words_without_memory();

}  // namespace sluice::cli
