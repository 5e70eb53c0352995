# One INTERFACE target carries every flag; all our targets link it.
add_library(flags INTERFACE)
target_include_directories(flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(flags INTERFACE _GNU_SOURCE FURROW_VERSION="${PROJECT_VERSION}")

set(c_warnings
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wcast-qual -Wpointer-arith
  -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference
  -Wdouble-promotion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND c_warnings -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Walloca)
endif()
foreach(w ${c_warnings})
  target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:${w}>)
endforeach()
target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra>)
if(WERROR)
  target_compile_options(flags INTERFACE -Werror)
endif()
if(ANALYZE)
  target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-fanalyzer>)
endif()
if(SANITIZE)
  separate_arguments(sanitize UNIX_COMMAND "${SANITIZE}")
  target_compile_options(flags INTERFACE ${sanitize})
  target_link_options(flags INTERFACE ${sanitize})
endif()
if(HARDEN)
  separate_arguments(harden UNIX_COMMAND "${HARDEN}")
  target_compile_options(flags INTERFACE ${harden})
  target_link_options(flags INTERFACE -Wl,-z,relro,-z,now)
endif()
