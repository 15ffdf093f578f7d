# Copyright (c) the paxos authors. MIT licence.
#
# What the targets bring to who links them: include directories, C++20, other targets, and nothing else.
foreach(target IN ITEMS paxos::core paxos::paxos)
  if(NOT TARGET ${target})
    continue()
  endif()
  foreach(property IN ITEMS COMPILE_DEFINITIONS COMPILE_OPTIONS LINK_DIRECTORIES LINK_OPTIONS PRECOMPILE_HEADERS SOURCES)
    get_target_property(value ${target} INTERFACE_${property})
    if(value)
      message(FATAL_ERROR "${target} forces ${property} on its users: ${value}")
    endif()
  endforeach()
  get_target_property(features ${target} INTERFACE_COMPILE_FEATURES)
  if(features AND NOT features STREQUAL "cxx_std_20")
    message(FATAL_ERROR "${target} forces compile features on its users: ${features}")
  endif()
endforeach()
