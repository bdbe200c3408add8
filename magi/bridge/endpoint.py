"""Our tools, pages and prompts as the official library wants them. The only module that knows it; loading it takes a second."""

import mcp_types as types
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from magi import __version__
from magi.bridge import texts
from magi.bridge.front import Front
from magi.bridge.pages import PAGES, NoSuchPage
from magi.bridge.texts import Prompt
from magi.bridge.tool import Tool

PLAIN = "text/plain"

Context = ServerRequestContext[dict[str, object]]


class Endpoint:
    """Handlers of requests. Errors of a call are results; what raises is a call of something that is not there (MCP-5)."""

    def __init__(self, front: Front, tools: dict[str, Tool]) -> None:
        self._front = front
        self._tools = tools

    def server(self) -> Server[dict[str, object]]:
        """Return a server for one client, of either era of the protocol."""
        return Server(
            "magi",
            version=__version__,
            instructions=texts.INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )

    async def list_tools(self, _context: Context, _params: object) -> types.ListToolsResult:
        """Return all tools; needs no desk."""
        return types.ListToolsResult(tools=list(map(tool_of, self._tools.values())))

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Run a tool."""
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
        said = await self._front.call(tool, params.arguments or {}, context.session.report_progress)
        content: list[types.ContentBlock] = [types.TextContent(text=text) for text in said.texts]
        return types.CallToolResult(content=content, structured_content=dict(said.data), is_error=said.is_error)

    async def list_resources(self, _context: Context, _params: object) -> types.ListResourcesResult:
        """Return the pages that have one address."""
        listed = [
            types.Resource(uri=page.address, name=page.name, description=page.description, mime_type=PLAIN)
            for page in PAGES
            if not page.is_template
        ]
        return types.ListResourcesResult(resources=listed)

    async def list_templates(self, _context: Context, _params: object) -> types.ListResourceTemplatesResult:
        """Return the pages whose address has places."""
        listed = [
            types.ResourceTemplate(
                uri_template=page.address, name=page.name, description=page.description, mime_type=PLAIN
            )
            for page in PAGES
            if page.is_template
        ]
        return types.ListResourceTemplatesResult(resource_templates=listed)

    async def read_resource(
        self, _context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Return a page."""
        try:
            text = await self._front.page(params.uri)
        except NoSuchPage:
            raise MCPError(types.INVALID_PARAMS, f"Resource not found: {params.uri}") from None
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type=PLAIN, text=text)]
        )

    async def list_prompts(self, _context: Context, _params: object) -> types.ListPromptsResult:
        """Return all prompts."""
        return types.ListPromptsResult(prompts=list(map(prompt_of, texts.PROMPTS)))

    async def get_prompt(self, _context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        """Return a prompt, filled in."""
        prompt = next((one for one in texts.PROMPTS if one.name == params.name), None)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
        try:
            text = prompt.filled(params.arguments or {})
        except KeyError as missing:
            raise MCPError(types.INVALID_PARAMS, f"Missing argument: {missing.args[0]}") from None
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])


def tool_of(tool: Tool) -> types.Tool:
    """Return a tool as it is listed, with its four hints (MCP-1, MCP-2)."""
    hints = types.ToolAnnotations(
        read_only_hint=tool.read_only,
        destructive_hint=tool.destructive,
        idempotent_hint=tool.idempotent,
        open_world_hint=tool.open_world,
    )
    listed = types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema, annotations=hints)
    if tool.always_load:
        listed.meta = {"anthropic/alwaysLoad": True}
    return listed


def prompt_of(prompt: Prompt) -> types.Prompt:
    """Return a prompt as it is listed."""
    arguments = [types.PromptArgument(name=one, description=said, required=True) for one, said in prompt.arguments]
    return types.Prompt(name=prompt.name, description=prompt.description, arguments=arguments)
