// The commands. Each returns the program's exit code; results go to stdout, everything else to stderr.
#pragma once

#include "tools/sluice/arguments.h"

namespace sluice::cli {

int execute(const RunArguments& arguments);
int execute(const CheckArguments& arguments);
int execute(const PlanArguments& arguments);
int execute(const NodesArguments& arguments);
int execute(const SchemaArguments& arguments);
int execute(const DoctorArguments& arguments);
int execute(const InspectArguments& arguments);
int execute(const CompileArguments& arguments);
int execute(const EvalArguments& arguments);
int execute(const QuantizeArguments& arguments);
int execute(const CompareArguments& arguments);
int execute(const ExplainArguments& arguments);
int execute(const PackageArguments& arguments);
int execute(const ProfileArguments& arguments);
int execute(const ThermalArguments& arguments);
int execute(const FitArguments& arguments);

}  // namespace sluice::cli
