#include "dispatch.h"

#include <map>

namespace skdeep {

#define SKDEEP_DECLARE(NAME)   \
  namespace NAME {             \
  KernelTable kernel_table();  \
  }
#ifdef SKDEEP_HAS_BASELINE
SKDEEP_DECLARE(baseline)
#endif
#ifdef SKDEEP_HAS_AVX2
SKDEEP_DECLARE(avx2)
#endif
#ifdef SKDEEP_HAS_AVX512
SKDEEP_DECLARE(avx512)
#endif

namespace {

std::vector<KernelTable> usable_tables() {
  std::vector<KernelTable> tables;
#ifdef SKDEEP_HAS_BASELINE
  tables.push_back(baseline::kernel_table());
#endif
#ifdef SKDEEP_HAS_AVX2
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(avx2::kernel_table());
  }
#endif
#ifdef SKDEEP_HAS_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    tables.push_back(avx512::kernel_table());
  }
#endif
  return tables;
}

const std::vector<KernelTable>& tables() {
  static const std::vector<KernelTable> made = usable_tables();
  return made;
}

struct InUse {
  std::string name;
  std::map<std::string, const KernelEntry*> kernels;

  explicit InUse(const KernelTable& table) : name(table.instruction_set) {
    for (int i = 0; i < table.count; ++i) {
      const KernelFamily& family = *table.families[i];
      for (int j = 0; j < family.count; ++j) {
        kernels[family.entries[j].name] = &family.entries[j];
      }
    }
  }
};

InUse& in_use() {
  static InUse used(tables().back());
  return used;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const KernelTable& table : tables()) names.push_back(table.instruction_set);
  return names;
}

const std::string& instruction_set() { return in_use().name; }

bool select_instruction_set(const std::string& name) {
  for (const KernelTable& table : tables()) {
    if (name == table.instruction_set) {
      in_use() = InUse(table);
      return true;
    }
  }
  return false;
}

const KernelEntry* find_kernel(const std::string& name) {
  const auto found = in_use().kernels.find(name);
  return found == in_use().kernels.end() ? nullptr : found->second;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : in_use().kernels) names.push_back(name);
  return names;
}

}  // namespace skdeep
