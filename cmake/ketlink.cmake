# Compiler settings shared by every target, and the two functions that declare a stage and a unit test.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(KETLINK_SANITIZE "Build with address and undefined-behaviour sanitizers" OFF)
option(KETLINK_SANITIZE_THREADS "Build with the thread sanitizer" OFF)
option(KETLINK_FUZZ "Build the fuzz targets with libFuzzer, all libraries of this project instrumented (clang)" OFF)
option(KETLINK_COVERAGE "Build with clang's coverage of the source" OFF)
option(KETLINK_WERROR "Treat warnings as errors" ON)

add_library(ketlink_options INTERFACE)
target_compile_definitions(ketlink_options INTERFACE _GNU_SOURCE KETLINK_VERSION="${PROJECT_VERSION}")
target_include_directories(ketlink_options INTERFACE "${CMAKE_SOURCE_DIR}/gateway")
target_compile_options(ketlink_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Werror=format-security -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wcast-qual
  -Wno-missing-field-initializers -fno-strict-aliasing -fno-common)
if(KETLINK_WERROR)
  target_compile_options(ketlink_options INTERFACE -Werror)
endif()

if(KETLINK_SANITIZE)
  target_compile_options(ketlink_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(ketlink_options INTERFACE -fsanitize=address,undefined)
elseif(KETLINK_SANITIZE_THREADS)
  target_compile_options(ketlink_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(ketlink_options INTERFACE -fsanitize=thread)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(ketlink_options INTERFACE -fstack-protector-strong -fstack-clash-protection
    -fcf-protection=full
    $<$<C_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero> $<$<C_COMPILER_ID:GNU>:-fzero-call-used-regs=used-gpr>)
  target_compile_definitions(ketlink_options INTERFACE _FORTIFY_SOURCE=3)
  # Code is kept twice in each object: programs with the property KETLINK_WHOLE (ketlink_whole) are optimised across all
  # stages when they are linked, a third faster; tests link the ready code, which takes no time.
  option(KETLINK_WHOLE_PROGRAMS "Optimise programs as a whole; off: each change links in a second" ON)
  if(KETLINK_WHOLE_PROGRAMS)
    target_compile_options(ketlink_options INTERFACE $<$<C_COMPILER_ID:GNU>:-flto=auto> $<$<C_COMPILER_ID:GNU>:-ffat-lto-objects>)
    target_link_options(ketlink_options INTERFACE
      $<$<C_COMPILER_ID:GNU>:$<IF:$<BOOL:$<TARGET_PROPERTY:KETLINK_WHOLE>>,-flto=auto,-fno-lto>>)
  endif()
endif()
if(KETLINK_FUZZ)
  target_compile_options(ketlink_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(ketlink_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(KETLINK_COVERAGE)
  target_compile_options(ketlink_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(ketlink_options INTERFACE -fprofile-instr-generate)
endif()
target_link_options(ketlink_options INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen)
set(CMAKE_C_FLAGS_RELEASE "-O3 -g1")

# ketlink_stage(NAME SOURCES a.c b.c DEPENDS stage… LIBRARIES external…)
function(ketlink_stage name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(ketlink_${name} STATIC ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPENDS PREPEND ketlink_)
  target_link_libraries(ketlink_${name} PUBLIC ${ARG_DEPENDS} ketlink_options PRIVATE ${ARG_LIBRARIES})
endfunction()

# A program that is optimised as a whole in the release build.
function(ketlink_whole)
  set_target_properties(${ARGN} PROPERTIES KETLINK_WHOLE ON)
endfunction()

# ketlink_unit_test(NAME SOURCES test_a.c DEPENDS stage… [LABELS quick])
function(ketlink_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS;LIBRARIES" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPENDS PREPEND ketlink_)
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS} ketlink_options PkgConfig::CMOCKA ${ARG_LIBRARIES})
  target_compile_definitions(test_${name} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}" BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME unit.${name} COMMAND test_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  if(NOT ARG_LABELS)
    set(ARG_LABELS quick)
  endif()
  set_tests_properties(unit.${name} PROPERTIES LABELS "${ARG_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
