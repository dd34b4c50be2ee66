// The instruction sets that this library was built for, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "operation.h"

namespace skdeep {

// From the plainest to the widest, of those that this processor has.
std::vector<std::string> instruction_sets();

const std::string& instruction_set();

// False where there is none of this name.
bool select_instruction_set(const std::string& name);

// The kernel of a name in the instruction set in use, or null.
const KernelEntry* find_kernel(const std::string& name);

std::vector<std::string> kernel_names();

}  // namespace skdeep
