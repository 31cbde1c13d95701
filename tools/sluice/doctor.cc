// sluice doctor
#include "tools/sluice/commands.h"
#include "tools/sluice/machine.h"
#include "tools/sluice/output.h"

namespace sluice::cli {

int execute(const DoctorArguments& arguments) {
  const Machine machine = look_at_machine();
  return print_result(arguments.json ? machine_json(machine) : machine_text(machine));
}

}  // namespace sluice::cli
